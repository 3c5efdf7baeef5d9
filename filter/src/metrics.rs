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
    /// The counter of a result. A worker asks for its number once: Envoy keeps each that it gives.
    pub fn total(&self, labels: &Labels, result: Reason, process: &dyn Process) -> Metric {
        let known = self.totals.get(result as usize);
        let metric = known.and_then(Cell::get).unwrap_or_else(|| labels.total(result, process));
        known.inspect(|known| known.set(Some(metric)));
        metric
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
    fn total(&self, result: Reason, process: &dyn Process) -> Metric {
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
}

/// `app_health_tcp_checks_total`, by who has made them.
#[derive(Default)]
pub struct TcpMetrics([Cell<Option<Metric>>; TcpChecker::ALL.len()]);

impl TcpMetrics {
    /// The counter of those checks. A worker asks for its number once.
    pub fn total(&self, by: TcpChecker, process: &dyn Process) -> Metric {
        let known = self.0.get(by as usize);
        let metric = known.and_then(Cell::get).unwrap_or_else(|| {
            let name = ["by=.=", by.as_str(), ";.;app_health_tcp_checks_total"].concat();
            process.metric(MetricKind::Counter, &name)
        });
        known.inspect(|known| known.set(Some(metric)));
        metric
    }
}

/// Says how many probes are recorded, and whether variable and plugin configuration are valid.
pub fn set_config(recorded: usize, is_valid: bool, process: &dyn Process) {
    let set = |name, value| process.set(process.metric(MetricKind::Gauge, name), value);
    set("app_health_recorded_probes", recorded as u64);
    set("app_health_config_valid", is_valid.into());
}
