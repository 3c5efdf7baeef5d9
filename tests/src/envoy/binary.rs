//! Finds an Envoy.

use std::env;
use std::path::{Path, PathBuf};

use crate::process;

/// `$ENVOY`, else `envoy` on the PATH, else what `scripts/envoy` has put into `target/`.
///
/// # Panics
/// Where there is none.
pub fn find() -> PathBuf {
    let named = env::var_os("ENVOY").filter(|name| !name.is_empty()).map(PathBuf::from);
    let found = named.or_else(on_path).or_else(downloaded);
    found.expect("no Envoy: set ENVOY, put envoy on the PATH, or get one with scripts/envoy")
}

/// How many connections a TCP check by this Envoy makes at most: a known difference before 1.39.
///
/// # Panics
/// Where it does not say its version.
pub fn dials(envoy: &Path) -> usize {
    let mut envoy = process::command(envoy);
    let said = process::run(envoy.arg("--version"), "").succeeded();
    let minor = said.split("/1.").nth(1).and_then(|rest| rest.split('.').next()?.parse().ok());
    let minor: u32 = minor.unwrap_or_else(|| panic!("a version 1.x: {said}"));
    if minor < 39 { 2 } else { 1 }
}

fn on_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join("envoy")).find(|file| file.is_file())
}

fn downloaded() -> Option<PathBuf> {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| crate::program::root().join("target"));
    Some(target.join(Path::new("envoy/envoy"))).filter(|file| file.is_file())
}
