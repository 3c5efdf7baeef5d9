//! The filter.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::program::build;

/// The `.wasm` as a user builds it.
pub fn filter() -> PathBuf {
    static FILTER: OnceLock<PathBuf> = OnceLock::new();
    let arguments = ["--package=app-health-filter", "--release", "--target=wasm32-wasip1"];
    let is_wasm = |file: &std::path::Path| file.extension().is_some_and(|e| e == "wasm");
    FILTER.get_or_init(|| build(&arguments, is_wasm)).clone()
}
