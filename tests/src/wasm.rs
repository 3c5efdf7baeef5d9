//! The filter's `.wasm`, and that of a filter that does nothing, built from the sources beside the
//! tests: never a stale file.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::program::build;

/// The path of the filter's `.wasm`, built by cargo once a process. `CARGO_TARGET_DIR` is honoured.
///
/// # Panics
/// When it does not build, as no test of the filter means anything then. It needs the target:
/// `rustup target add wasm32-unknown-unknown`.
pub fn filter() -> &'static Path {
    static FILTER: OnceLock<PathBuf> = OnceLock::new();
    FILTER.get_or_init(|| built("app-health-filter", "wasm32-unknown-unknown"))
}

/// The same of the filter that does nothing (`tests/empty-filter`), as the crate proxy-wasm has one
/// built: for wasm32-wasip1.
///
/// # Panics
/// As [`filter`].
pub fn empty() -> &'static Path {
    static EMPTY: OnceLock<PathBuf> = OnceLock::new();
    EMPTY.get_or_init(|| built("app-health-empty-filter", "wasm32-wasip1"))
}

fn built(package: &str, target: &str) -> PathBuf {
    let arguments = ["--package", package, "--release", "--lib", "--target", target];
    build(&arguments, |file| file.extension().is_some_and(|e| e == "wasm"))
}
