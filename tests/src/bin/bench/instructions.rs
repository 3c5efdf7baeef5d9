//! Instructions per rewritten pod, counted by callgrind: the same on a busy machine as on an idle
//! one.

use std::fs;
use std::path::Path;

use app_health_tests::{process, program};

use crate::pods;

/// The difference is what counts: start and end of the program are in both.
const FEWER: usize = 500;
const MORE: usize = 1_500;

/// Of the static agent: manifest JSON in, JSON Patch out.
///
/// # Panics
/// Where valgrind is missing.
pub fn per_pod() -> u64 {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let [fewer, more] = [FEWER, MORE].map(|count| {
        let file = dir.path().join(format!("{count}.json"));
        fs::write(&file, pods::stream(count)).expect("the pods are written");
        counted(&file)
    });
    (more - fewer) / (MORE - FEWER) as u64
}

fn counted(file: &Path) -> u64 {
    let mut command = process::command("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(program::static_agent()).args(["rewrite", "-o", "patch", "-f"]).arg(file);
    let output = command.output().expect("valgrind runs (Debian's package valgrind)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{said}");
    collected(&said).unwrap_or_else(|| panic!("{command:?}: no count of instructions:\n{said}"))
}

/// Out of `==7== Collected : 123456`
fn collected(said: &str) -> Option<u64> {
    let counts = said.lines().filter_map(|line| line.split_once(" Collected : "));
    counts.filter_map(|(_, count)| count.trim().parse().ok()).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callgrind_counted_is_read() {
        let said = "==7== Callgrind, a call-graph generating cache profiler\n==7== \n\
                    ==7== Events    : Ir\n==7== Collected : 203456789\n==7== \n";
        assert_eq!(collected(said), Some(203_456_789));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }
}
