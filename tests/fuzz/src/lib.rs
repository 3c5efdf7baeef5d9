//! Fuzz targets: each takes any bytes, and panics where what it tries breaks a promise. `tests/stable.rs` runs
//! them for some seconds each, `scripts/fuzz` by libFuzzer, with coverage, for as long as one likes.
//!
//! | module | what it tries |
//! |---|---|
//! | [`filter`] | the filter's `.wasm` in the emulator |
//! | [`input`] | structured input out of bytes |

mod filter;
mod input;

// The emulator is a part of the tests' suite, and no crate of its own.
#[allow(dead_code, missing_docs)]
#[path = "../../tests/host/mod.rs"]
mod host;

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
pub const TARGETS: [Target; 1] = [Target { name: "filter", run: filter::target, seeds: Vec::new }];
