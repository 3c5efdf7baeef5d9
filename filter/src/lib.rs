//! The proxy-wasm HTTP filter that answers rewritten probes on the status port.
//!
//! The way of a probe: `probe` (the callbacks of one request) finds its entry in the [`table`],
//! lets [`request`] say what the app is sent, and starts the check: carried by Envoy's router (`run`:
//! HTTP, HTTPS), or `dispatched` (gRPC with [`grpc`], later hops by [`redirect`]). TCP has both ways:
//! the agent is asked, or Envoy connects (`tcp`). What comes back is judged by [`outcome`]. Envoy calls
//! `callbacks`, and is called through `host`.
//!
//! Functions that are called once are kept apart by `inline(never)`, here and in the probers config:
//! merged into one, they cost V8's optimizing compiler up to a fifth more memory.
//!
//! Never panics, since a trap takes the VM down and with it every probe of the pod: the lints of
//! this crate deny what could.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

#[cfg(target_arch = "wasm32")]
mod callbacks;
#[cfg(target_arch = "wasm32")]
mod dispatched;
#[cfg(target_arch = "wasm32")]
mod host;
#[cfg(target_arch = "wasm32")]
mod log_line;
#[cfg(target_arch = "wasm32")]
mod probe;
#[cfg(target_arch = "wasm32")]
mod root;
#[cfg(target_arch = "wasm32")]
mod run;
#[cfg(target_arch = "wasm32")]
mod runtime;
#[cfg(target_arch = "wasm32")]
mod tcp;

pub mod grpc;
pub mod outcome;
pub mod pairs;
pub mod redirect;
pub mod request;
pub mod settings;
pub mod table;
