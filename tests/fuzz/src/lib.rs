//! Fuzz targets: each takes any bytes, and panics where a promise is broken. `tests/stable.rs` runs them for some
//! seconds each, `scripts/fuzz` by libFuzzer, with coverage, for as long as one likes.
//!
//! | module | what it tries |
//! |---|---|
//! | `codec` | the probers config, read and written |
//! | `url` | URL rules |
//! | `rewrite` | a pod's rewrite, and back |
//! | `review` | AdmissionReview in and out |
//! | `manifests` | the agent's `rewrite` and `restore` |
//! | `machine` | the filter's check, a pure state machine, natively |
//! | `filter` | the filter's `.wasm` in the emulator |
//! | `agent` | what the agent is asked, over sockets |
//! | `input`, `seeds`, `memory` | structured input out of bytes; from what to begin; an allocator that counts |

#![allow(dead_code, reason = "of what is taken in from elsewhere, not all is called here")]

mod agent;
mod codec;
mod filter;
mod input;
mod machine;
mod manifests;
mod memory;
mod review;
mod rewrite;
mod seeds;
mod url;

// Parts of the tests' suite, which is no crate that another could use. The emulator is what needs `wasmtime::`.
#[path = "../../tests/host/mod.rs"]
mod host;
#[path = "../../tests/rewrite/pods.rs"]
mod pods;
#[path = "../../tests/rewrite/transform.rs"]
mod transform;

// The filter's pure part, which logs by `log::`. Its crate is a cdylib, and must be nothing else to have LTO.
#[path = "../../../filter/src/check/mod.rs"]
mod check;
#[path = "../../../filter/src/config.rs"]
mod config;
#[path = "../../../filter/src/metrics.rs"]
mod metrics;
#[allow(clippy::duplicate_mod, reason = "the check's tests, which clippy reads here, have it, too")]
#[path = "../../../filter/src/check/no_process.rs"]
mod no_process;
#[path = "../../../filter/src/outcome.rs"]
mod outcome;
#[path = "../../../filter/src/page/mod.rs"]
mod page;
#[path = "../../../filter/src/process.rs"]
mod process;
#[path = "../../../filter/src/protobuf.rs"]
mod protobuf;
#[path = "../../../filter/src/report.rs"]
mod report;
#[path = "../../../filter/src/request.rs"]
mod request;
#[path = "../../../filter/src/runs.rs"]
mod runs;
#[path = "../../../filter/src/settings.rs"]
mod settings;
#[path = "../../../filter/src/state.rs"]
mod state;
#[path = "../../../filter/src/table.rs"]
mod table;

/// A fuzz target.
pub struct Target {
    /// As `scripts/fuzz` is told it.
    pub name: &'static str,
    /// Panics where a promise is broken.
    pub run: fn(&[u8]),
    /// Input from which to begin.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 8] = [
    Target { name: "codec", run: codec::target, seeds: codec::seeds },
    Target { name: "url", run: url::target, seeds: url::seeds },
    Target { name: "rewrite", run: rewrite::target, seeds: rewrite::seeds },
    Target { name: "review", run: review::target, seeds: review::seeds },
    Target { name: "manifests", run: manifests::target, seeds: manifests::seeds },
    Target { name: "machine", run: machine::target, seeds: Vec::new },
    Target { name: "filter", run: filter::target, seeds: Vec::new },
    Target { name: "agent", run: agent::target, seeds: agent::seeds },
];
