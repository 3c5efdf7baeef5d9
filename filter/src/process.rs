//! What all workers of the Envoy process share: its metrics, and shared data.

/// A metric, by Envoy's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric(pub u32);

/// The kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    Counter,
    Gauge,
}

/// Metrics and shared data. A metric that Envoy does not know is 0, and takes no change.
pub trait Process {
    /// The metric of this name, which all workers share. Envoy makes it where there is none.
    fn metric(&self, kind: MetricKind, name: &str) -> Metric;
    fn value(&self, metric: Metric) -> u64;
    fn increment(&self, counter: Metric);
    fn set(&self, gauge: Metric, value: u64);
    /// A value of shared data, and its version.
    fn shared(&self, key: &str) -> Option<(Vec<u8>, u32)>;
    /// Writes a value, unless it has another version meanwhile; returns whether it was written.
    fn share(&self, key: &str, value: &[u8], version: Option<u32>) -> bool;
}

/// The process in which the VM runs.
#[cfg(target_arch = "wasm32")]
pub struct EnvoyProcess;

#[cfg(target_arch = "wasm32")]
mod envoy {
    use proxy_wasm::hostcalls;
    use proxy_wasm::types::MetricType;

    use super::{EnvoyProcess, Metric, MetricKind, Process};

    impl Process for EnvoyProcess {
        fn metric(&self, kind: MetricKind, name: &str) -> Metric {
            let kind = match kind {
                MetricKind::Counter => MetricType::Counter,
                MetricKind::Gauge => MetricType::Gauge,
            };
            Metric(hostcalls::define_metric(kind, name).unwrap_or(0))
        }

        fn value(&self, metric: Metric) -> u64 {
            hostcalls::get_metric(metric.0).unwrap_or(0)
        }

        fn increment(&self, counter: Metric) {
            let _ = hostcalls::increment_metric(counter.0, 1);
        }

        fn set(&self, gauge: Metric, value: u64) {
            let _ = hostcalls::record_metric(gauge.0, value);
        }

        fn shared(&self, key: &str) -> Option<(Vec<u8>, u32)> {
            let (value, version) = hostcalls::get_shared_data(key).ok()?;
            Some((value?, version?))
        }

        fn share(&self, key: &str, value: &[u8], version: Option<u32>) -> bool {
            hostcalls::set_shared_data(key, Some(value), version).is_ok()
        }
    }
}
