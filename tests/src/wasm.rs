//! The filter's `.wasm`, built from the sources beside the tests: never a stale file.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const BUILD: [&str; 8] = [
    "build",
    "--release",
    "--locked",
    "--package=app-health-filter",
    "--lib",
    "--target=wasm32-wasip1",
    "--message-format=json-render-diagnostics",
    "--quiet",
];

/// The path of the filter's `.wasm`, built by cargo once a process. `CARGO_TARGET_DIR` is honoured.
///
/// # Panics
///
/// Where it does not build: no test of the filter means anything then.
pub fn filter() -> &'static Path {
    static FILTER: OnceLock<PathBuf> = OnceLock::new();
    FILTER.get_or_init(build)
}

fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(&cargo)
        .args(BUILD)
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", cargo.display()));
    assert!(
        output.status.success(),
        "the filter does not build: cargo's message stands above. Where the target is missing: \
         rustup target add wasm32-wasip1"
    );
    artifact(&output.stdout).expect("cargo built the filter, but named no .wasm")
}

/// The `.wasm` in what cargo says of the artifacts, a line of JSON each.
fn artifact(messages: &[u8]) -> Option<PathBuf> {
    messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|name| name.as_str().map(PathBuf::from))
        .find(|path| {
            path.file_stem().is_some_and(|stem| stem == "app_health_filter") && is_wasm(path)
        })
}

fn is_wasm(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm")
}
