//! The project's own programs, built once a process by cargo, so that no stale one is tested.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::process;

const WRONG_ARGUMENTS: i32 = 64;

/// The arguments of one of the project's scripts, which ends with 64 where they are wrong.
pub fn arguments<T: clap::Parser>() -> T {
    T::try_parse().unwrap_or_else(|problem| {
        // Nobody is left to be told if this fails.
        let _ = problem.print();
        std::process::exit(if problem.use_stderr() { WRONG_ARGUMENTS } else { 0 })
    })
}

/// The project's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is a folder of the project")
}

/// `app-health-agent`
pub fn agent() -> &'static Path {
    static AGENT: OnceLock<PathBuf> = OnceLock::new();
    AGENT.get_or_init(|| build(&["--package=app-health-agent"], |file| file.extension().is_none()))
}

/// A program of others: the one that `variable` names, else `name` on the PATH.
///
/// # Panics
/// Where there is none.
pub fn tool(variable: &str, name: &str) -> PathBuf {
    let named = env::var_os(variable).map(PathBuf::from).filter(|file| file.is_file());
    let tool = named.or_else(|| on_path(name));
    tool.unwrap_or_else(|| panic!("no {name}: set {variable} to what scripts/{name} prints"))
}

/// A program of one of Debian's packages.
///
/// # Panics
/// Where there is none.
pub fn packaged(name: &str, package: &str) -> PathBuf {
    on_path(name).unwrap_or_else(|| {
        panic!("no {name}, of Debian's package {package}: scripts/packages {name}:{package}")
    })
}

fn on_path(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The static release build of `app-health-agent`: what ships.
pub fn static_agent() -> &'static Path {
    static AGENT: OnceLock<PathBuf> = OnceLock::new();
    let target = format!("--target={}-unknown-linux-musl", env::consts::ARCH);
    let arguments = ["--package=app-health-agent", "--release", &target];
    AGENT.get_or_init(|| build(&arguments, |file| file.extension().is_none()))
}

/// Runs `cargo build` and finds the artifact that fits.
///
/// # Panics
/// Where the build fails: its errors are on stderr.
pub fn build(arguments: &[&str], fits: impl Fn(&Path) -> bool) -> PathBuf {
    let output = cargo()
        .args(["build", "--locked", "--quiet", "--message-format=json-render-diagnostics"])
        .args(arguments)
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo build {arguments:?} failed");
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut files = messages.filter(is_ours).flat_map(|message| filenames(&message));
    files
        .find(|file| fits(file))
        .unwrap_or_else(|| panic!("cargo build {arguments:?}: no artifact"))
}

fn cargo() -> Command {
    outside_of_tests(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// One of the project's scripts.
pub fn script(name: &str) -> Command {
    outside_of_tests(root().join("scripts").join(name))
}

/// Without what cargo tells a test of its package: build scripts that read it would run again, and
/// all that depends on them would be built again.
fn outside_of_tests(program: impl AsRef<OsStr>) -> Command {
    let mut command = process::command(program);
    let of_package =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_package)) {
        command.env_remove(name);
    }
    command
}

fn is_ours(message: &Value) -> bool {
    let manifest = message["manifest_path"].as_str();
    manifest.is_some_and(|manifest| Path::new(manifest).starts_with(root()))
}

fn filenames(message: &Value) -> Vec<PathBuf> {
    let files = message["filenames"].as_array();
    files.into_iter().flatten().filter_map(|file| file.as_str().map(PathBuf::from)).collect()
}
