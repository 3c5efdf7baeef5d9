//! The process's own metrics, by the names that Prometheus' clients give them.

use std::fmt;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Resource, getrlimit};
use nix::time::{ClockId, clock_gettime};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Reads them when they are asked for. What the system does not tell is left out.
#[derive(Debug)]
pub struct Process {
    /// In Unix time.
    started: f64,
}

impl Process {
    /// Starts now.
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: since.as_secs_f64() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut put = |name: &str, help: &str, metric: &dyn EncodeMetric| {
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        let mut gauge = |name: &str, help: &str, value: Option<f64>| match value {
            Some(value) => put(name, help, &ConstGauge::new(value)),
            None => Ok(()),
        };
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        gauge(
            "process_resident_memory_bytes",
            "Resident memory in bytes",
            bytes(&status, "VmRSS:"),
        )?;
        gauge(
            "process_virtual_memory_bytes",
            "Virtual memory in bytes",
            bytes(&status, "VmSize:"),
        )?;
        gauge("process_threads", "Threads", number(&status, "Threads:"))?;
        gauge("process_open_fds", "Open file descriptors", descriptors())?;
        gauge("process_max_fds", "Most file descriptors that may be open", most_descriptors())?;
        gauge(
            "process_start_time_seconds",
            "When the process started, in Unix time",
            Some(self.started),
        )?;
        let Some(time) = processor_time() else { return Ok(()) };
        let help = "Processor time, user's and system's";
        put("process_cpu_seconds", help, &ConstCounter::new(time))
    }
}

/// The number that follows this name in a line of its own.
fn number(status: &str, name: &str) -> Option<f64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

/// There in KiB, whatever it says.
fn bytes(status: &str, name: &str) -> Option<f64> {
    Some(number(status, name)? * 1024.0)
}

/// Without the one that counts them.
fn descriptors() -> Option<f64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64)
}

fn most_descriptors() -> Option<f64> {
    getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft as f64)
}

fn processor_time() -> Option<f64> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).ok()?;
    Some(Duration::from(time).as_secs_f64())
}
