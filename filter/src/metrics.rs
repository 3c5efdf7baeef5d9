//! The filter's metrics in Envoy's stats.
//!
//! Names carry their labels in the form `label=.=value;.;`, of which Istio's bootstrap, told of them by
//! `extraStatTags`, and the `stats_tags` of envoy.yaml make labels. No label holds what a client sends:
//! containers and probes are the recorded ones, results are reasons.

use std::cell::Cell;

use app_health_webhook::path::ProbeKind;
use app_health_webhook::reason::Reason;

use crate::process::{Metric, MetricKind, Process};

/// The metrics of a probe or hook, as far as a worker has needed them.
#[derive(Default)]
pub struct ProbeMetrics {
    /// `app_health_probe_total`, by its `result`.
    totals: [Cell<Option<Metric>>; Reason::ALL.len()],
    /// `app_health_probe_up`
    up: Cell<Option<Metric>>,
}

impl ProbeMetrics {
    /// Counts a result, and returns whether it is the first of its kind that this worker counts.
    pub fn count(&self, labels: &Labels, result: Reason, process: &dyn Process) -> bool {
        let Some(total) = self.totals.get(result as usize) else { return false };
        let is_first = total.get().is_none();
        let metric = total.get().unwrap_or_else(|| labels.total(result, process));
        total.set(Some(metric));
        process.increment(metric);
        is_first
    }

    /// The gauge that is 1 while the probe passes.
    pub fn up(&self, labels: &Labels, process: &dyn Process) -> Metric {
        let metric = self.up.get().unwrap_or_else(|| {
            let name = [&*labels.text(), "app_health_probe_up"].concat();
            process.metric(MetricKind::Gauge, &name)
        });
        self.up.set(Some(metric));
        metric
    }
}

/// The labels that all metrics of a probe or hook have.
pub struct Labels<'a> {
    pub container: &'a str,
    pub kind: ProbeKind,
}

impl Labels<'_> {
    /// The counter of a result.
    pub fn total(&self, result: Reason, process: &dyn Process) -> Metric {
        let result = ["result=.=", result.as_str(), ";.;app_health_probe_total"].concat();
        process.metric(MetricKind::Counter, &[self.text(), result].concat())
    }

    fn text(&self) -> String {
        ["app_container=.=", self.container, ";.;probe=.=", self.kind.as_str(), ";.;"].concat()
    }
}

/// Who has made a TCP check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpChecker {
    Agent,
    Envoy,
}

impl TcpChecker {
    pub const ALL: [TcpChecker; 2] = [TcpChecker::Agent, TcpChecker::Envoy];

    /// The label `by`.
    pub fn as_str(self) -> &'static str {
        match self {
            TcpChecker::Agent => "agent",
            TcpChecker::Envoy => "envoy",
        }
    }

    /// How many checks it has made, in all workers.
    pub fn total(self, process: &dyn Process) -> Metric {
        let name = ["by=.=", self.as_str(), ";.;app_health_tcp_checks_total"].concat();
        process.metric(MetricKind::Counter, &name)
    }
}

/// `app_health_tcp_checks_total`, by who has made them.
#[derive(Default)]
pub struct TcpMetrics([Cell<Option<Metric>>; 2]);

impl TcpMetrics {
    pub fn count(&self, by: TcpChecker, process: &dyn Process) {
        let Some(total) = self.0.get(by as usize) else { return };
        let metric = total.get().unwrap_or_else(|| by.total(process));
        total.set(Some(metric));
        process.increment(metric);
    }
}

/// Says how many probes are recorded, and whether variable and plugin configuration are valid.
pub fn set_config(recorded: usize, is_valid: bool, process: &dyn Process) {
    let set = |name, value| process.set(process.metric(MetricKind::Gauge, name), value);
    set("app_health_recorded_probes", recorded as u64);
    set("app_health_config_valid", is_valid.into());
}
