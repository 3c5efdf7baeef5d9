//! What is counted, in the text format of Prometheus.

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use app_health_webhook::admission::{Admission, Outcome};
use app_health_webhook::path::Kind;
use app_health_webhook::rewrite::{Cause, Report, Warning};

/// The handlers that are rewritten.
const HANDLERS: [&str; 3] = ["httpGet", "tcpSocket", "grpc"];

/// Upper bounds of the histogram's buckets, in seconds and as they are written.
const BUCKETS: [(f64, &str); 10] = [
    (0.0005, "0.0005"),
    (0.001, "0.001"),
    (0.0025, "0.0025"),
    (0.005, "0.005"),
    (0.01, "0.01"),
    (0.025, "0.025"),
    (0.1, "0.1"),
    (0.5, "0.5"),
    (2.5, "2.5"),
    (10.0, "10"),
];

/// All counters.
#[derive(Default)]
pub struct Metrics {
    admissions: [AtomicU64; Outcome::ALL.len()],
    refused: AtomicU64,
    probes: [[AtomicU64; Kind::ALL.len()]; HANDLERS.len()],
    warnings: [AtomicU64; Cause::ALL.len()],
    buckets: [AtomicU64; BUCKETS.len()],
    requests: AtomicU64,
    nanoseconds: AtomicU64,
    expires: AtomicI64,
}

impl Metrics {
    /// A review was answered.
    pub fn admitted(&self, admission: &Admission) {
        count(&self.admissions, Outcome::ALL.iter().position(|it| *it == admission.outcome));
        admission.rewritten.iter().for_each(|probe| self.rewritten(probe));
        admission.warnings.iter().for_each(|warning| self.warned(warning));
    }

    fn rewritten(&self, report: &Report) {
        let handler = HANDLERS.iter().position(|name| *name == report.handler);
        let Some(kinds) = handler.and_then(|at| self.probes.get(at)) else { return };
        count(kinds, Kind::ALL.iter().position(|kind| *kind == report.probe.kind));
    }

    fn warned(&self, warning: &Warning) {
        count(&self.warnings, Cause::ALL.iter().position(|cause| *cause == warning.cause));
    }

    /// A body was no review, or too large, or did not come in time; or no memory was free for its answer.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// A request took so long, from its head to its answer.
    pub fn took(&self, time: Duration) {
        count(&self.buckets, BUCKETS.iter().position(|(most, _)| time.as_secs_f64() <= *most));
        self.requests.fetch_add(1, Relaxed);
        self.nanoseconds.fetch_add(time.as_nanos().try_into().unwrap_or(u64::MAX), Relaxed);
    }

    /// The certificate expires then (Unix time).
    pub fn certificate_expires(&self, at: i64) {
        self.expires.store(at, Relaxed);
    }

    /// The text that is scraped.
    pub fn text(&self) -> String {
        let mut page = Page(String::with_capacity(8192));
        self.write_admissions(&mut page);
        self.write_probes(&mut page);
        self.write_warnings(&mut page);
        self.write_latency(&mut page);
        page.head(
            "app_health_certificate_expiry_timestamp_seconds",
            "gauge",
            "When the serving certificate expires, in Unix time.",
        );
        page.line(
            "app_health_certificate_expiry_timestamp_seconds",
            "",
            self.expires.load(Relaxed),
        );
        page.head("app_health_build_info", "gauge", "The version that runs.");
        page.line(
            "app_health_build_info",
            concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"}"),
            1,
        );
        page.0
    }

    fn write_admissions(&self, page: &mut Page) {
        const NAME: &str = "app_health_admissions_total";
        page.head(NAME, "counter", "Admission reviews by result.");
        for (outcome, counter) in Outcome::ALL.iter().zip(&self.admissions) {
            let labels = format!("{{result=\"{}\"}}", outcome.label());
            page.line(NAME, &labels, counter.load(Relaxed));
        }
        page.line(NAME, "{result=\"refused\"}", self.refused.load(Relaxed));
    }

    fn write_probes(&self, page: &mut Page) {
        const NAME: &str = "app_health_probes_rewritten_total";
        page.head(NAME, "counter", "Probes and hooks rewritten, by handler and kind.");
        for (handler, kinds) in HANDLERS.iter().zip(&self.probes) {
            for (kind, counter) in Kind::ALL.iter().zip(kinds) {
                let labels = format!("{{handler=\"{handler}\",kind=\"{}\"}}", kind.field());
                page.line(NAME, &labels, counter.load(Relaxed));
            }
        }
    }

    fn write_warnings(&self, page: &mut Page) {
        const NAME: &str = "app_health_warnings_total";
        page.head(NAME, "counter", "Warnings of the rewrite, by reason.");
        for (cause, counter) in Cause::ALL.iter().zip(&self.warnings) {
            let labels = format!("{{reason=\"{}\"}}", cause.label());
            page.line(NAME, &labels, counter.load(Relaxed));
        }
    }

    fn write_latency(&self, page: &mut Page) {
        const NAME: &str = "app_health_admission_duration_seconds";
        page.head(NAME, "histogram", "From a request's head to its answer, the body included.");
        let mut below = 0;
        for ((_, most), counter) in BUCKETS.iter().zip(&self.buckets) {
            below += counter.load(Relaxed);
            page.line(&format!("{NAME}_bucket"), &format!("{{le=\"{most}\"}}"), below);
        }
        let requests = self.requests.load(Relaxed);
        page.line(&format!("{NAME}_bucket"), "{le=\"+Inf\"}", requests);
        let seconds = Duration::from_nanos(self.nanoseconds.load(Relaxed)).as_secs_f64();
        page.line(&format!("{NAME}_sum"), "", seconds);
        page.line(&format!("{NAME}_count"), "", requests);
    }
}

fn count(counters: &[AtomicU64], at: Option<usize>) {
    if let Some(counter) = at.and_then(|at| counters.get(at)) {
        counter.fetch_add(1, Relaxed);
    }
}

/// Writing to a string does not fail.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
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
        metrics.admitted(&admit(review, &Options::default()).unwrap());
        metrics.refused();
        metrics.took(Duration::from_micros(700));
        metrics.took(Duration::from_secs(60));
        metrics.certificate_expires(1_800_000_000);
        let text = metrics.text();
        for line in [
            "# TYPE app_health_admissions_total counter",
            "app_health_admissions_total{result=\"patched\"} 1",
            "app_health_admissions_total{result=\"unchanged\"} 0",
            "app_health_admissions_total{result=\"refused\"} 1",
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
            "app_health_certificate_expiry_timestamp_seconds 1800000000",
            "app_health_build_info{version=\"0.1.0\"} 1",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
    }
}
