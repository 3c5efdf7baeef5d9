//! What goes wrong around the filter: which verdicts were wrong, and how soon all are right again. Each
//! test has an Envoy of its own, with the shipped configuration.
//!
//! `cargo test -p app-health-tests --test suite -- faults:: --nocapture | grep ^fault:` prints the figures
//! that stand in BENCH.md.

use std::time::Duration;

use app_health_tests::kubelet::Answer;
use app_health_tests::process::{self, Process};

/// The agent hangs, answers garbage, has too little memory.
mod agent;
/// The apps fail, each in every way of its kind.
mod apps;
/// The time of day jumps.
mod clock;
/// What a fault has cost.
mod cost;
/// Clients that are no kubelet, at once.
mod crowd;
/// No descriptors are left.
mod descriptors;
/// An app of each kind.
mod fleet;
/// Packets are lost.
mod packets;
/// The configuration is pushed again and again.
mod push;
/// Envoy restarts, and is drained.
mod restart;
/// Answers come late, by a slow proxy.
mod slow;
/// The VM ends.
mod trap;
mod trapping;

const SECOND: Duration = Duration::from_secs(1);

/// The reason as a word, which an answer of the app's own has none of.
fn word(answer: &Answer) -> &str {
    answer.header("x-app-health-reason").unwrap_or_default()
}

/// Gives a running process another soft limit, as `nofile=3:`. It keeps what it has beyond that.
fn limit(process: &Process, resource: &str) {
    let mut command = process::command("prlimit");
    command.args([format!("--pid={}", process.id()), format!("--{resource}")]);
    process::run(&mut command, "").succeeded();
}
