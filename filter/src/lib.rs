//! The proxy-wasm HTTP filter that answers rewritten probes on the status port.
//!
//! `root` reads the configuration once. For each request, `context` turns Envoy's callbacks into
//! events, `check` answers each event with a command, and `context` carries the command out. A check
//! uses the recorded probes (`table`), says what the app is sent (`request`), and what the client is
//! told (`outcome`). The status page (`page`) is no check.
//!
//! The filter never panics, since a trap takes the VM down and with it every probe of the pod: the lints
//! of this crate deny what could panic, and clippy.toml the calls of the crate proxy-wasm that do.

#![cfg_attr(
    not(target_arch = "wasm32"),
    expect(dead_code, reason = "called by `context` and `root`, which are built for wasm32 only")
)]

#[cfg(target_arch = "wasm32")]
mod context;
#[cfg(target_arch = "wasm32")]
mod host;
#[cfg(target_arch = "wasm32")]
mod logger;
#[cfg(target_arch = "wasm32")]
mod root;

mod check;
mod config;
mod metrics;
mod outcome;
mod page;
mod process;
mod protobuf;
mod report;
mod request;
mod runs;
mod settings;
mod state;
mod table;

#[cfg(target_arch = "wasm32")]
mod start {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(crate::root::Root::default()));
    }}
}
