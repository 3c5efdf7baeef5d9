//! The alerts, by promtool: with series a minute apart.

use std::fs;

use app_health_tests::process;
use app_health_tests::program::{packaged, root};
use serde_json::{Value, json};

use super::{alerts, rule_file, text};
use crate::architecture::leads_somewhere;

/// A series, and its values.
type Series = (&'static str, &'static str);

/// What is there, when it is looked at, and the labels of the alert that fires then; none, where
/// it is silent.
struct Case {
    alert: &'static str,
    series: &'static [Series],
    at: &'static str,
    fires: Option<&'static str>,
}

const fn fires(
    alert: &'static str,
    at: &'static str,
    series: &'static [Series],
    labels: &'static str,
) -> Case {
    Case { alert, series, at, fires: Some(labels) }
}

const fn silent(alert: &'static str, at: &'static str, series: &'static [Series]) -> Case {
    Case { alert, series, at, fires: None }
}

/// The series that the cases have in common.
macro_rules! probe {
    ($name:literal, $more:literal) => {
        concat!(
            $name,
            r#"{namespace="n", pod="p", app_container="c", probe="liveness""#,
            $more,
            "}"
        )
    };
}

const DOWN: Series = (probe!("app_health_probe_up", ""), "0x60");
const UP: Series = (probe!("app_health_probe_up", ""), "1x60");
const READY: Series =
    (r#"kube_pod_status_ready{namespace="n", pod="p", condition="true"}"#, "1x60");
const UNREADY: Series =
    (r#"kube_pod_status_ready{namespace="n", pod="p", condition="true"}"#, "0x60");
const OTHER: Series =
    (r#"kube_pod_status_ready{namespace="n", pod="q", condition="true"}"#, "1x60");
const PROBE: &str = r#"namespace="n", pod="p", app_container="c", probe="liveness""#;
const HANGS: &str =
    r#"namespace="n", pod="p", app_container="c", probe="liveness", result="agent""#;
const AGENT: &str = probe!("app_health_probe_total", r#", result="agent""#);
const PILOT_AGENT: &str =
    r#"envoy_cluster_app_health_pilot_agent_probes_upstream_rq_total{namespace="n", pod="p"}"#;
const VALID: &str = r#"app_health_config_valid{namespace="n", pod="p"}"#;
const SCRAPED: Series = (VALID, "1x60");
const REFUSED: &str = r#"app_health_admissions_total{result="refused"}"#;
const BEGINS: Series = ("app_health_certificate_start_timestamp_seconds", "1200x120");
/// After a hundred minutes.
const ENDS: Series = ("app_health_certificate_expiry_timestamp_seconds", "7200x120");

#[rustfmt::skip] // A table.
const CASES: [Case; 31] = [
    fires("AppHealthProbeFailing", "6m", &[DOWN, READY], PROBE),
    silent("AppHealthProbeFailing", "4m", &[DOWN, READY]),
    silent("AppHealthProbeFailing", "6m", &[DOWN, UNREADY, OTHER]),
    silent("AppHealthProbeFailing", "6m", &[UP, READY]),
    silent("AppHealthProbeFailing", "6m", &[(r#"app_health_probe_up{namespace="n", pod="p", probe="startup"}"#, "0x60"), READY]),
    // The first time, and another time.
    fires("AppHealthCheckNotMade", "21m", &[(AGENT, "_x20 1x60"), SCRAPED], HANGS),
    fires("AppHealthCheckNotMade", "22m", &[(AGENT, "1x20 2x60")], HANGS),
    fires("AppHealthCheckNotMade", "2m", &[(r#"app_health_probe_total{result="config"}"#, "1+1x60")], r#"result="config""#),
    // A page that is opened makes counters without a failure; Prometheus sees nothing for a while, or begins.
    silent("AppHealthCheckNotMade", "25m", &[(AGENT, "_x20 0x60"), SCRAPED]),
    silent("AppHealthCheckNotMade", "36m", &[(AGENT, "5x20 _x12 5x60"), (VALID, "1x20 _x12 1x60")]),
    silent("AppHealthCheckNotMade", "5m", &[(AGENT, "5x60"), SCRAPED]),
    silent("AppHealthCheckNotMade", "5m", &[(r#"app_health_probe_total{result="proxy"}"#, "1+1x60")]),
    silent("AppHealthCheckNotMade", "40m", &[(AGENT, "1x20 2x60")]),
    silent("AppHealthCheckNotMade", "5m", &[(r#"app_health_probe_total{result="refused"}"#, "1+1x60")]),
    fires("AppHealthConfigInvalid", "2m", &[(r#"app_health_config_valid{pod="p"}"#, "0x60"),
        (r#"app_health_config_valid{pod="q"}"#, "1x60")], r#"pod="p""#),
    silent("AppHealthConfigInvalid", "9m", &[(r#"app_health_config_valid{pod="q"}"#, "1x60")]),
    fires("AppHealthPilotAgentAnswers", "30m", &[(PILOT_AGENT, "0+6x60")], r#"namespace="n", pod="p""#),
    // Until a new pod has the filter.
    silent("AppHealthPilotAgentAnswers", "30m", &[(PILOT_AGENT, "0+6x4 24x60")]),
    fires("AppHealthWebhookDown", "6m", &[], ""),
    fires("AppHealthWebhookDown", "16m", &[("app_health_build_info", "1x10 stale")], ""),
    silent("AppHealthWebhookDown", "4m", &[]),
    silent("AppHealthWebhookDown", "9m", &[("app_health_build_info", "1x60")]),
    fires("AppHealthReviewsRefused", "12m", &[(REFUSED, "0x10 1x60")], ""),
    silent("AppHealthReviewsRefused", "40m", &[(REFUSED, "0x10 1x60")]),
    silent("AppHealthReviewsRefused", "12m", &[(r#"app_health_admissions_total{result="patched"}"#, "0x10 1x60")]),
    fires("AppHealthProbesStay", "12m", &[(r#"app_health_warnings_total{reason="host", pod="p"}"#, "0x10 1x90"),
        (r#"app_health_warnings_total{reason="host", pod="q"}"#, "0x100")], r#"reason="host""#),
    silent("AppHealthProbesStay", "12m", &[(r#"app_health_warnings_total{reason="no_sidecar"}"#, "0x10 1x90")]),
    silent("AppHealthProbesStay", "12m", &[(r#"app_health_warnings_total{reason="excluded"}"#, "0x10 1x90")]),
    silent("AppHealthProbesStay", "90m", &[(r#"app_health_warnings_total{reason="host"}"#, "0x10 1x90")]),
    // A sixth is left after 103 minutes and 20 seconds.
    fires("AppHealthCertificateEnds", "109m", &[BEGINS, ENDS], ""),
    silent("AppHealthCertificateEnds", "108m", &[BEGINS, ENDS]),
];

impl Case {
    /// As promtool's tests have it.
    fn test(&self, severity: &str) -> Value {
        let series =
            self.series.iter().map(|(name, values)| json!({"series": name, "values": values}));
        let firing = format!("alertname=\"{}\", alertstate=\"firing\"", self.alert);
        let labels = |more| format!("ALERTS{{{firing}, severity=\"{severity}\", {more}}}");
        let samples = self.fires.map(|more| json!({"labels": labels(more), "value": 1}));
        json!({
            "name": format!("{} at {}, of {:?}", self.alert, self.at, self.series),
            "interval": "1m",
            "input_series": series.collect::<Vec<_>>(),
            "promql_expr_test": [{
                "expr": format!("ALERTS{{{firing}}}"),
                "eval_time": self.at,
                "exp_samples": samples.into_iter().collect::<Vec<_>>(),
            }],
        })
    }
}

/// Runs promtool in a folder with this file, and says what it says.
fn promtool(arguments: &[&str], files: &[(&str, Value)]) -> process::Run {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, content) in files {
        fs::write(folder.path().join(name), content.to_string()).expect("the file is written");
    }
    let mut command = process::command(packaged("promtool", "prometheus"));
    process::run(command.args(arguments).current_dir(folder.path()), "")
}

#[test]
fn the_rules_are_valid() {
    let run =
        promtool(&["check", "rules", "--lint-fatal", "rules.json"], &[("rules.json", rule_file())]);
    assert!(run.succeeded().contains(&format!("{} rules found", alerts().len())));
}

#[test]
fn each_fires_when_it_should_and_not_else() {
    let mut tests = Vec::new();
    for alert in alerts() {
        let cases = CASES.iter().filter(|case| alert["alert"] == case.alert);
        let (firing, silent): (Vec<_>, Vec<_>) = cases.partition(|case| case.fires.is_some());
        assert!(!firing.is_empty() && !silent.is_empty(), "{alert}");
        let severity = text(&alert["labels"]["severity"]);
        tests.extend(firing.iter().chain(&silent).map(|case| case.test(severity)));
    }
    assert_eq!(tests.len(), CASES.len(), "a case of an alert that is not there");
    let tests = json!({"rule_files": ["rules.json"], "evaluation_interval": "1m", "tests": tests});
    let run = promtool(
        &["test", "rules", "tests.json"],
        &[("rules.json", rule_file()), ("tests.json", tests)],
    );
    assert_eq!(run.exit, 0, "{}{}", run.stdout, run.stderr);
}

#[test]
fn each_says_how_bad_it_is_what_to_do_and_where_more_is_told() {
    for alert in alerts() {
        let severity = text(&alert["labels"]["severity"]);
        assert!(["critical", "warning", "info"].contains(&severity), "{alert}");
        let annotations = &alert["annotations"];
        let (summary, description) =
            (text(&annotations["summary"]), text(&annotations["description"]));
        assert!(summary.len() < 120 && description.len() > 150, "{alert}");
        let link = text(&annotations["runbook_url"]);
        assert!(link.contains('#') && leads_somewhere(link, root(), root()), "{alert}");
    }
}
