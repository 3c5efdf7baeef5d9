//! `app-health-agent webhook`: the admission webhook that rewrites the probes of new pods, and tells Istio's
//! injector what they need for the filter.
//!
//! | port | request | answer |
//! |---|---|---|
//! | `--listen`, TLS | `POST /mutate`, `/mutate/filter/REVISION`, `/mutate/switch` | an AdmissionReview; 400 or 408 and the reason where the body is none; 503 where there is no memory for the answer |
//! | | another method there | 405 |
//! | | anything else | 404 |
//! | `--metrics-listen` | `GET /healthz` | 200 |
//! | | `GET /readyz` | 200; 503 once told to stop, or while the certificate has expired |
//! | | `GET /metrics` | the counters, in the text format of Prometheus |
//! | | anything else | 404, 405 |
//! | `--wasm-listen`, with `--wasm` | `GET /SHA256.wasm` | the file |
//! | | any other path | 503, since the server of another release may have it |
//!
//! The decisions are the library's ([`app_health_webhook::admission`]). Everything runs on one
//! thread.
//!
//! | module | what it does |
//! |---|---|
//! | [`args`] | the arguments |
//! | [`server`] | all ports, until told to stop; then lets requests finish |
//! | [`mutate`] | one review: read, answered, counted, logged |
//! | [`body`] | the bounds of a body, and of all of them together |
//! | [`status`] | the plain port |
//! | [`wasm`] | the port for sidecars |
//! | [`certificate`], [`rotation`], [`expiry`] | the pair of files, its replacement, its end |
//! | [`metrics`], [`process`] | what is counted; the process's own |

pub mod args;
mod body;
pub mod certificate;
mod expiry;
mod metrics;
mod mutate;
mod process;
mod rotation;
mod server;
mod status;
mod wasm;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::exit::Failure;
use crate::logger;
use crate::net::signals::Signals;
use crate::net::{bind, raise_descriptors, reason, runtime};
use args::{Address, WebhookArgs};
use certificate::Files;
use mutate::Reviews;
use rotation::Rotation;
use server::Listeners;
use wasm::Wasm;

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// No input when the certificate cannot be used; system when a port cannot be bound. All of them
/// name the flag.
pub fn run(args: &WebhookArgs) -> Result<(), Failure> {
    logger::init(args.log);
    let files = Files { certificate: args.tls_cert.clone(), key: args.tls_key.clone() };
    let rotation = Rotation::new(files).map_err(Failure::no_input)?;
    let tls = rotation.config().map_err(|error| Failure::internal(format!("TLS: {error}")))?;
    let wasm = args.wasm.as_deref().map(Wasm::read).transpose()?;
    raise_descriptors();
    runtime()?.block_on(async {
        let mut signals =
            Signals::new().map_err(|error| Failure::system(format!("signal handlers: {error}")))?;
        let (reviews, address) = listen("--listen", args.listen)?;
        let (status, status_address) = listen("--metrics-listen", args.metrics_listen)?;
        let wasm = wasm.map(|file| serve_wasm(file, args.wasm_listen)).transpose()?;
        log::info!("listening on {address}, metrics on {status_address}");
        let listeners = Listeners { reviews, status, wasm };
        let reviews = Arc::new(Reviews::new(args.pods.options(true), args.pods.mesh.mesh()));
        server::run(reviews, listeners, tls, rotation, &mut signals).await;
        Ok(())
    })
}

/// The file, and the port where it is served.
fn serve_wasm(file: Wasm, address: Address) -> Result<(TcpListener, Wasm), Failure> {
    let (listener, address) = listen("--wasm-listen", address)?;
    log::info!("the filter is at http://{address}{}", file.path());
    Ok((listener, file))
}

/// Binds the first address that the system has. The listener, and where it listens.
fn listen(flag: &str, address: Address) -> Result<(TcpListener, SocketAddr), Failure> {
    let mut result = Err(io::ErrorKind::AddrNotAvailable.into());
    for candidate in address.candidates() {
        result = bind(candidate);
        if !matches!(&result, Err(error) if is_missing(error)) {
            break;
        }
    }
    let with_address = |listener: TcpListener| listener.local_addr().map(|at| (listener, at));
    result
        .and_then(with_address)
        .map_err(|error| Failure::system(format!("{flag} {address}: {}", reason(&error))))
}

/// The system has no such address, or no addresses of this family.
fn is_missing(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let missing = [Errno::EAFNOSUPPORT, Errno::EADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|number| missing.contains(&Errno::from_raw(number)))
}
