//! For tests, and for the fuzz targets.

use crate::process::{Metric, MetricKind, Process};

/// A process whose metrics and shared data hold nothing.
pub struct NoProcess;

impl Process for NoProcess {
    fn metric(&self, _: MetricKind, _: &str) -> Metric {
        Metric(0)
    }

    fn value(&self, _: Metric) -> u64 {
        0
    }

    fn increment(&self, _: Metric) {}

    fn set(&self, _: Metric, _: u64) {}

    fn shared(&self, _: &str) -> Option<(Vec<u8>, u32)> {
        None
    }

    fn share(&self, _: &str, _: &[u8], _: Option<u32>) -> bool {
        false
    }
}
