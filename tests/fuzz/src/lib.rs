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
//! | `filter` | the filter's `.wasm` in the emulator |
//! | `input`, `seeds`, `memory` | structured input out of bytes; from what to begin; an allocator that counts |

mod codec;
mod filter;
mod input;
mod manifests;
mod memory;
mod review;
mod rewrite;
mod seeds;
mod url;

// Parts of the tests' suite, which is no crate that another could use.
#[allow(dead_code, missing_docs)]
#[path = "../../tests/host/mod.rs"]
mod host;
#[path = "../../tests/rewrite/pods.rs"]
mod pods;
#[path = "../../tests/rewrite/transform.rs"]
#[allow(dead_code)]
mod transform;

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
pub const TARGETS: [Target; 6] = [
    Target { name: "codec", run: codec::target, seeds: codec::seeds },
    Target { name: "url", run: url::target, seeds: url::seeds },
    Target { name: "rewrite", run: rewrite::target, seeds: rewrite::seeds },
    Target { name: "review", run: review::target, seeds: review::seeds },
    Target { name: "manifests", run: manifests::target, seeds: manifests::seeds },
    Target { name: "filter", run: filter::target, seeds: Vec::new },
];
