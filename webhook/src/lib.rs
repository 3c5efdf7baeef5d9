//! What app-health's parts share, and the rewrite of a pod's probes.
//!
//! Pure: no I/O, no clock, no environment. Builds for the host and for wasm32-unknown-unknown.
//!
//! | module | what it decides |
//! |---|---|
//! | [`path`] | the five paths on the status port: what a probe's path says, and how it is written |
//! | [`handler`] | the handlers that probes and hooks may have |
//! | [`probers`] | the probers config, the JSON in `ISTIO_KUBE_APP_PROBERS` |
//! | [`json`] | the small JSON reader and writer under it, without serde |
//! | [`url`] | Go's URL rules: the request target of a probe, the target of a redirect |
//! | [`reason`] | why an answer is as it is: words and statuses |
//! | [`tcp_check`] | the contract between filter and agent |
//! | [`protobuf`] | the messages of a gRPC health check |
//! | `kubelet` | what a kubelet sends, how it reads an answer, and what it concludes (feature `kubelet`) |
//! | `rewrite` | a pod's probes rewritten, and restored (feature `rewrite`, the default) |
//! | `injection` | what Istio's injector reads of a pod, set before it does (feature `rewrite`) |
//! | `admission` | AdmissionReview in and out (feature `rewrite`) |
//! | `manifest` | where the pods are in a manifest (feature `rewrite`) |
//! | `patch` | JSON Patch and JSON Pointer (feature `rewrite`) |

#![forbid(unsafe_code)]
#![cfg_attr(not(any(feature = "rewrite", feature = "kubelet")), no_std)]

extern crate alloc;

#[cfg(feature = "rewrite")]
pub mod admission;
pub mod handler;
#[cfg(feature = "rewrite")]
pub mod injection;
pub mod json;
#[cfg(feature = "kubelet")]
pub mod kubelet;
#[cfg(feature = "rewrite")]
pub mod manifest;
#[cfg(feature = "rewrite")]
pub mod patch;
pub mod path;
pub mod probers;
pub mod protobuf;
pub mod reason;
#[cfg(feature = "rewrite")]
pub mod rewrite;
pub mod tcp_check;
pub mod url;
