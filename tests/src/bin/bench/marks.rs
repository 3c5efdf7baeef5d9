//! What the figures should be, in one place.

use crate::figure::Mark::{self, AtLeast, AtMost, Flat};

/// A probe's throughput ÷ that of Envoy's own direct route.
pub const PROBE_THROUGHPUT: Mark = AtLeast(0.92);
/// Its p50 ÷ that of the direct route.
pub const PROBE_P50: Mark = AtMost(1.10);
/// Envoy's processor time for it ÷ that for the direct route.
pub const PROBE_PROCESSOR_TIME: Mark = AtMost(1.15);
/// Envoy's instructions for a probe, outside the kernel: 1.03 of what they were before it was counted.
pub const PROBE_INSTRUCTIONS: Mark = AtMost(410_000.0);
/// A tcpSocket probe's throughput ÷ that of an httpGet probe.
pub const TCP_THROUGHPUT: Mark = AtLeast(0.8);
/// What Envoy does for a probe with many recorded ÷ with one.
pub const RECORDED: Mark = Flat(0.03);
/// The memory that the filter adds to Envoy ÷ what an empty one adds.
pub const MEMORY: Mark = AtMost(1.15);
/// Envoy's instructions until it is ready ÷ those with an empty filter.
pub const START: Mark = AtMost(1.9);
/// The size of the `.wasm`, in bytes.
pub const WASM: Mark = AtMost(170_000.0);
/// The agent's memory at rest, in MiB.
pub const AGENT_AT_REST: Mark = AtMost(3.0);
/// The same after 100,000 checks.
pub const AGENT_AFTER_CHECKS: Mark = AtMost(4.0);
/// The size of the static agent, in bytes.
pub const AGENT_SIZE: Mark = AtMost(6_000_000.0);
/// Pods rewritten in a second of processor time.
pub const REWRITE: Mark = AtLeast(50_000.0);
/// The same as admission reviews.
pub const ADMISSION: Mark = AtLeast(35_000.0);
/// Time and memory of a list of ten times as many pods ÷ ten times those of the shorter.
pub const LINEAR: Mark = AtMost(1.2);
/// The most memory that rewriting a list takes ÷ its text: "a few times".
pub const LIST_MEMORY: Mark = AtMost(5.0);
/// The webhook's admissions in a second, on one core.
pub const WEBHOOK_RATE: Mark = AtLeast(5_000.0);
/// Its p99 at half the top load, in milliseconds.
pub const WEBHOOK_P99: Mark = AtMost(5.0);
/// Its memory, in MiB.
pub const WEBHOOK_MEMORY: Mark = AtMost(12.0);
