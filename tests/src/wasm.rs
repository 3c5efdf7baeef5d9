//! The filter's `.wasm`, built from the sources beside the tests: never a stale file.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::program::build;

/// The path of the filter's `.wasm`, built by cargo once a process. `CARGO_TARGET_DIR` is honoured.
///
/// # Panics
/// Where it does not build: no test of the filter means anything then. Where the target is missing:
/// `rustup target add wasm32-wasip1`.
pub fn filter() -> &'static Path {
    static FILTER: OnceLock<PathBuf> = OnceLock::new();
    let arguments = ["--package=app-health-filter", "--release", "--lib", "--target=wasm32-wasip1"];
    FILTER.get_or_init(|| build(&arguments, |file| file.extension().is_some_and(|e| e == "wasm")))
}
