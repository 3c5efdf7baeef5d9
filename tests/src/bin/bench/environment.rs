//! Where the figures were measured.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::process::Command;
use std::thread;

use app_health_tests::envoy;
use app_health_tests::program::root;
use serde_json::{Value, json};

/// What figures depend on.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    cores: usize,
    processor: String,
    kernel: String,
    envoy: String,
    commit: String,
}

impl Environment {
    /// This machine and these sources.
    pub fn look() -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cores: thread::available_parallelism().map_or(0, usize::from),
            processor: model(&cpus).to_owned(),
            kernel: kernel.trim().to_owned(),
            envoy: version(&said(envoy::find(), &["--version"])).to_owned(),
            commit: commit(),
        }
    }

    /// For machines.
    pub fn json(&self) -> Value {
        json!({
            "cores": self.cores,
            "processor": self.processor,
            "kernel": self.kernel,
            "envoy": self.envoy,
            "commit": self.commit,
        })
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, processor, kernel, envoy, commit } = self;
        write!(f, "{cores} cores ({processor}), Linux {kernel}, Envoy {envoy}, commit {commit}")
    }
}

fn said(program: impl AsRef<OsStr>, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn commit() -> String {
    let commit = said("git", &["rev-parse", "--short", "HEAD"]);
    let changed = !said("git", &["status", "--porcelain"]).is_empty();
    match commit.trim() {
        "" => "unknown".to_owned(),
        commit if changed => format!("{commit} and changes since"),
        commit => commit.to_owned(),
    }
}

/// Out of /proc/cpuinfo. Some architectures do not tell.
fn model(cpus: &str) -> &str {
    let line = cpus.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, model)| model)
}

/// Out of `envoy  version: COMMIT/VERSION/STATE/BUILD/TLS`
fn version(text: &str) -> &str {
    let text = text.split_once("version: ").map_or(text, |(_, version)| version);
    text.split('/').nth(1).unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envoys_version_is_read() {
        let text = "\n/usr/bin/envoy  version: f1dd21b/1.40.0/Clean/RELEASE/BoringSSL\n\n";
        assert_eq!(version(text), "1.40.0");
        assert_eq!(version(""), "unknown");
    }

    #[test]
    fn the_processors_model_is_read() {
        assert_eq!(model("processor\t: 0\nmodel name\t: AMD EPYC\nmodel\t: 7\n"), "AMD EPYC");
        assert_eq!(model("processor\t: 0\nBogoMIPS\t: 50.00\n"), "unknown");
    }
}
