//! What Istio's injector reads of a pod, set before it does: for pods that are to be given the filter, and
//! for pods whose probes are rewritten here rather than by Istio.
//!
//! | module | what it decides |
//! |---|---|
//! | `filter` | which pods are given the filter, and what each of them needs |
//! | `proxy_config` | the annotation `proxy.istio.io/config`, merged with what a pod has |
//! | `switch` | Istio's rewrite off, this project's on |
//! | `revision` | which filter: the value of a label |
//! | `metadata` | labels and annotations: how they are read, and set by a patch |

mod filter;
mod metadata;
mod proxy_config;
mod revision;
mod switch;
#[cfg(test)]
mod tests;

pub use self::filter::{FILTER_LABEL, Filter, Mesh, filter, left_by_restore};
pub use self::proxy_config::{ProxyDefaults, STATUS_PORT};
pub use self::revision::Revision;
pub use self::switch::switch;
