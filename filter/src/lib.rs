//! The proxy-wasm HTTP filter that answers rewritten probes on the status port.
//!
//! The way of a probe: `root` has read the configuration; the `context` of a request makes events of
//! Envoy's callbacks; [`check`] decides, and says what is to be done; the `context` does it. What a
//! check needs: the recorded probes ([`table`]), what the app is sent ([`request`]), and what the
//! client is told ([`outcome`]).
//!
//! Never panics, since a trap takes the VM down and with it every probe of the pod: the lints of
//! this crate deny what could, and clippy.toml the calls of the crate proxy-wasm that do.

#[cfg(target_arch = "wasm32")]
mod context;
#[cfg(target_arch = "wasm32")]
mod host;
#[cfg(target_arch = "wasm32")]
mod logger;
#[cfg(target_arch = "wasm32")]
mod root;

pub mod check;
pub mod config;
pub mod outcome;
pub mod protobuf;
mod report;
pub mod request;
pub mod runs;
pub mod settings;
pub mod table;

/// What Envoy calls first.
#[cfg(target_arch = "wasm32")]
mod start {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(crate::root::Root::default()));
    }}
}
