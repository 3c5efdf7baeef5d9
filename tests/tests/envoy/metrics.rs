use app_health_tests::app::{Closed, Http, Script, V4};
use app_health_tests::entries::{Entries, hook, http, probe, tcp};
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::poll::{PATIENCE, until_ok};

/// The samples of a metric, with its labels in the order of their names.
pub fn samples(envoy: &Envoy, name: &str) -> Vec<String> {
    let page = envoy.ask_admin("/stats/prometheus").expect("the admin answers").text();
    let samples = page.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    let mut samples: Vec<String> = samples.map(str::to_owned).collect();
    samples.sort();
    samples
}

pub fn assert_samples(envoy: &Envoy, name: &str, expected: &[String]) {
    until_ok(PATIENCE, || {
        let samples = samples(envoy, name);
        if samples == expected { Ok(()) } else { Err(format!("{name}: {samples:#?}")) }
    });
}

/// The longest name that a container may have, and one that only a hand-written variable has.
pub const NAMES: [&str; 2] =
    ["a23456789-123456789-123456789-123456789-123456789-123456789-123", "dots.and_result.x"];

/// Whichever of three workers has answered.
#[test]
fn labels_and_values() {
    let app = Http::start(V4, |_| Script::status(204));
    let closed = Closed::start(V4);
    let entries = NAMES.into_iter().fold(Entries::default(), |entries, name| {
        entries.probe(name, http(app.addr(), "/")).hook(name, http(closed.addr(), "/"))
    });
    let entries = entries.probe("closed", tcp(closed.addr()));
    let envoy = Setup::default().probers(entries.patient()).concurrency(3).start();
    let both = |line: &dyn Fn(&str) -> String| NAMES.map(line);
    for _ in 0..12 {
        for name in NAMES {
            envoy.get(probe(name)).send().expect("an answer");
        }
        envoy.get(probe("closed")).send().expect("an answer");
    }
    for name in NAMES {
        envoy.hook(hook(name)).send().expect_err("no answer");
    }
    let of = |name: &str, probe: &str| format!("app_container=\"{name}\",probe=\"{probe}\"");
    let closed = of("closed", "readiness");
    let mut totals = vec![format!("app_health_probe_total{{{closed},result=\"refused\"}} 12")];
    let mut ups = vec![format!("app_health_probe_up{{{closed}}} 0")];
    totals.extend(both(&|name| {
        format!("app_health_probe_total{{{},result=\"ok\"}} 12", of(name, "readiness"))
    }));
    totals.extend(both(&|name| {
        format!("app_health_probe_total{{{},result=\"refused\"}} 1", of(name, "prestop"))
    }));
    ups.extend(both(&|name| format!("app_health_probe_up{{{}}} 1", of(name, "readiness"))));
    totals.sort();
    ups.sort();
    assert_samples(&envoy, "app_health_probe_total", &totals);
    assert_samples(&envoy, "app_health_probe_up", &ups);
    assert_samples(
        &envoy,
        "app_health_recorded_probes",
        &["app_health_recorded_probes{} 5".to_owned()],
    );
    assert_samples(&envoy, "app_health_config_valid", &["app_health_config_valid{} 1".to_owned()]);
    let checks = "app_health_tcp_checks_total{by=\"agent\"} 12".to_owned();
    assert_samples(&envoy, "app_health_tcp_checks_total", &[checks]);
}

/// Three workers see the same failing probe, and one of them says so.
#[test]
fn a_change_is_logged_once() {
    let closed = Closed::start(V4);
    let entries = Entries::default().probe("closed", http(closed.addr(), "/"));
    let envoy = Setup::default().probers(entries.patient()).concurrency(3).start();
    for _ in 0..30 {
        envoy.get(probe("closed")).send().expect("an answer");
    }
    let counted = "app_health_probe_total{app_container=\"closed\",probe=\"readiness\",result=\"refused\"} 30";
    assert_samples(&envoy, "app_health_probe_total", &[counted.to_owned()]);
    envoy.line("closed/readinessProbe: failing: 500 refused: ");
    let lines = envoy.log().lines().filter(|line| line.contains("failing: 500")).count();
    assert_eq!(lines, 1, "{}", envoy.log());
}
