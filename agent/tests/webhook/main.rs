//! `app-health-agent webhook`, end to end: the real binary, real TLS.
//!
//! | module | what it shows |
//! |---|---|
//! | [`reviews`] | reviews in, patches out; what is no review |
//! | [`injection`] | pods that Istio's injector is yet to read |
//! | [`hostile`] | no TLS, old TLS, silent clients, bodies too large and too slow |
//! | [`memory`] | reviews that take much more memory than they have text |
//! | [`stalled`] | bodies that stall, answers that nobody reads |
//! | [`start`] | flags, environment and files that are wrong: the exit code and one line |
//! | [`status`] | health, readiness, metrics, log lines |
//! | [`rotation`] | another certificate while requests go on |
//! | [`certs`] | the certificates that `certs` makes |
//! | [`apply`] | what `certs --apply` does in a cluster |
//! | [`renewal`] | reviews while it does |
//! | [`stop`] | SIGTERM under load |
//! | [`outage`] | replicas that are killed |
//! | [`wasm`] | the filter for sidecars |
//! | [`server`] | the process under test |

mod apply;
mod certs;
mod hostile;
mod injection;
mod memory;
mod outage;
mod renewal;
mod reviews;
mod rotation;
mod server;
mod stalled;
mod start;
mod status;
mod stop;
mod wasm;
