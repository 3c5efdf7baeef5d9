//! What is counted, in the text format of Prometheus.

use std::time::Duration;

use app_health_webhook::admission::{Admission, ReviewOutcome, Task};
use app_health_webhook::handler::HandlerKind;
use app_health_webhook::path::ProbeKind;
use app_health_webhook::rewrite::Cause;
use hyper::StatusCode;
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use time::OffsetDateTime;

use super::certificate::Validity;
use super::process::Process;

/// The result of a request that was not answered with a review.
const REFUSED: &str = "refused";

/// Upper bounds of the histogram's buckets, in seconds.
const BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// Names and values.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// All that is counted.
pub struct Metrics {
    registry: Registry,
    admissions: Family<Labels<2>, Counter>,
    probes: Family<Labels<2>, Counter>,
    warnings: Family<Labels<1>, Counter>,
    duration: Histogram,
    wasm: Family<[(&'static str, u16); 1], Counter>,
    begins: Gauge,
    expires: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            admissions: Family::default(),
            probes: Family::default(),
            warnings: Family::default(),
            duration: Histogram::new(BUCKETS),
            wasm: Family::default(),
            begins: Gauge::default(),
            expires: Gauge::default(),
        };
        metrics.begin_at_zero();
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// A counter that is there from the start: else its first increase would be seen by nobody.
    fn begin_at_zero(&self) {
        for result in ReviewOutcome::ALL.map(ReviewOutcome::label).into_iter().chain([REFUSED]) {
            for task in Task::LABELS {
                let _ = self.admissions.get_or_create(&[("result", result), ("task", task)]);
            }
        }
        for handler in HandlerKind::ALL.into_iter().filter(|handler| handler.asks_port()) {
            for kind in ProbeKind::ALL {
                let labels = [("handler", handler.field()), ("kind", kind.field())];
                let _ = self.probes.get_or_create(&labels);
            }
        }
        for cause in Cause::ALL {
            let _ = self.warnings.get_or_create(&[("reason", cause.label())]);
        }
        for status in super::wasm::STATUSES {
            let _ = self.wasm.get_or_create(&[("code", status.as_u16())]);
        }
    }

    fn register(&mut self) {
        self.registry.register_collector(Box::new(Process::new()));
        let all = self.registry.sub_registry_with_prefix("app_health");
        all.register(
            "admissions",
            "Admission reviews by result, and by what is done to pods",
            self.admissions.clone(),
        );
        all.register(
            "probes_rewritten",
            "Probes and hooks rewritten, by handler and kind",
            self.probes.clone(),
        );
        all.register(
            "warnings",
            "What stays, or is not followed, by reason",
            self.warnings.clone(),
        );
        all.register(
            "admission_duration_seconds",
            "From a request's head to its answer, the body included",
            self.duration.clone(),
        );
        all.register(
            "wasm_requests",
            "Requests for the filter's .wasm, by the status of the answer",
            self.wasm.clone(),
        );
        all.register(
            "certificate_start_timestamp_seconds",
            "When the serving certificate begins to be valid, in Unix time",
            self.begins.clone(),
        );
        all.register(
            "certificate_expiry_timestamp_seconds",
            "When the serving certificate expires, in Unix time",
            self.expires.clone(),
        );
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        all.register("build", "The version that runs", version);
    }

    /// A review was answered.
    pub fn admitted(&self, task: &Task, admission: &Admission) {
        self.count(task, admission.outcome.label());
        for probe in &admission.rewritten {
            let handler = probe.handler.map_or("other", HandlerKind::field);
            let labels = [("handler", handler), ("kind", probe.probe.kind.field())];
            self.probes.get_or_create(&labels).inc();
        }
        for warning in &admission.warnings {
            self.warnings.get_or_create(&[("reason", warning.cause.label())]).inc();
        }
    }

    /// A body was no review, or did not come in time; or no memory was free for its answer.
    pub fn refused(&self, task: &Task) {
        self.count(task, REFUSED);
    }

    fn count(&self, task: &Task, result: &'static str) {
        self.admissions.get_or_create(&[("result", result), ("task", task.label())]).inc();
    }

    /// A request took so long, from its head to its answer.
    pub fn took(&self, time: Duration) {
        self.duration.observe(time.as_secs_f64());
    }

    /// A request for the filter was answered with this status.
    pub fn asked_for_wasm(&self, status: StatusCode) {
        self.wasm.get_or_create(&[("code", status.as_u16())]).inc();
    }

    /// This certificate is served.
    pub fn serves(&self, certificate: Validity) {
        self.begins.set(certificate.begins.unix_timestamp());
        self.expires.set(certificate.expires.unix_timestamp());
    }

    /// Whether that one has expired.
    pub fn serves_an_expired(&self, now: OffsetDateTime) -> bool {
        self.expires.get() <= now.unix_timestamp()
    }

    /// The text that is scraped.
    pub fn text(&self) -> String {
        let mut page = String::with_capacity(8192);
        // Writing to a string does not fail.
        let _ = encode(&mut page, &self.registry);
        page
    }
}

#[cfg(test)]
mod tests {
    use app_health_webhook::admission::admit;
    use app_health_webhook::rewrite::Options;

    use super::*;

    #[test]
    fn an_admission_is_counted() {
        let metrics = Metrics::default();
        let review = include_bytes!("../../../tests/golden/admission/create-pod.json");
        let (task, options) = (Task::Rewrite, Options::default());
        metrics.admitted(&task, &admit(review, &task, &options).unwrap());
        metrics.refused(&Task::Switch);
        metrics.took(Duration::from_micros(700));
        metrics.took(Duration::from_secs(60));
        metrics.asked_for_wasm(StatusCode::OK);
        let [begins, expires] = [1_700_000_000, 1_800_000_000]
            .map(|at| OffsetDateTime::from_unix_timestamp(at).unwrap());
        metrics.serves(Validity { begins, expires });
        let text = metrics.text();
        for line in [
            "# TYPE app_health_admissions_total counter",
            "app_health_admissions_total{result=\"patched\",task=\"rewrite\"} 1",
            "app_health_admissions_total{result=\"unchanged\",task=\"filter\"} 0",
            "app_health_admissions_total{result=\"refused\",task=\"switch\"} 1",
            "app_health_probes_rewritten_total{handler=\"httpGet\",kind=\"readinessProbe\"} 1",
            "app_health_probes_rewritten_total{handler=\"tcpSocket\",kind=\"livenessProbe\"} 1",
            "app_health_probes_rewritten_total{handler=\"httpGet\",kind=\"preStop\"} 1",
            "app_health_probes_rewritten_total{handler=\"grpc\",kind=\"startupProbe\"} 0",
            "app_health_warnings_total{reason=\"host\"} 1",
            "app_health_admission_duration_seconds_bucket{le=\"0.0005\"} 0",
            "app_health_admission_duration_seconds_bucket{le=\"0.001\"} 1",
            "app_health_admission_duration_seconds_bucket{le=\"10\"} 1",
            "app_health_admission_duration_seconds_bucket{le=\"+Inf\"} 2",
            "app_health_admission_duration_seconds_sum 60.0007",
            "app_health_admission_duration_seconds_count 2",
            "app_health_wasm_requests_total{code=\"200\"} 1",
            "app_health_wasm_requests_total{code=\"405\"} 0",
            "app_health_wasm_requests_total{code=\"503\"} 0",
            "app_health_certificate_start_timestamp_seconds 1700000000",
            "app_health_certificate_expiry_timestamp_seconds 1800000000",
            concat!("app_health_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
    }
}
