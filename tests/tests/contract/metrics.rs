//! What is counted, the gauges, and the state that all workers of a process share.

use std::time::Duration;

use super::{HTTP, PRESTOPZ, READYZ, get, host, unasked, variable};
use crate::host::Host;
use crate::host::app::{App, BodyEnd::*, UpstreamFailure::*};
use crate::host::state::LogLevel;

const TCP: &str = r#"{"tcpSocket":{"port":1}}"#;
const GRPC: &str = r#"{"grpc":{"port":1}}"#;

fn total(host: &Host, probe: &str, result: &str) -> Option<u64> {
    let labels = [("app_container", "app"), ("probe", probe), ("result", result)];
    host.state().process.metric("app_health_probe_total", &labels)
}

fn up(host: &Host, probe: &str) -> Option<u64> {
    let labels = [("app_container", "app"), ("probe", probe)];
    host.state().process.metric("app_health_probe_up", &labels)
}

fn tcp_checks(host: &Host, by: &str) -> Option<u64> {
    host.state().process.metric("app_health_tcp_checks_total", &[("by", by)])
}

/// The lines at info and above that were logged since the last call.
fn changes(host: &mut Host) -> Vec<String> {
    let log = std::mem::take(&mut host.state_mut().log);
    log.into_iter().filter(|line| line.level > LogLevel::Debug).map(|line| line.text).collect()
}

/// A second worker of the process.
fn beside(host: &Host) -> Host {
    let builder = Host::builder().env("ISTIO_KUBE_APP_PROBERS", variable(HTTP));
    let mut other = builder.beside(host).build();
    changes(&mut other);
    other
}

#[test]
fn each_result_is_counted_by_its_reason() {
    for (entry, app, result, is_up) in [
        (HTTP, App::answers(204), "ok", 1),
        (HTTP, App::answers(302), "ok", 1),
        (HTTP, App::answers(404), "status", 0),
        (HTTP, App::Fails(Refused), "refused", 0),
        (HTTP, App::Fails(Silent), "timeout", 0),
        (HTTP, App::answers(200).body(9).ends(Broken), "broken", 0),
        (HTTP, App::redirects(302, "http://10.0.0.7:x"), "redirect", 0),
        (GRPC, App::grpc_status(2, "no"), "not_serving", 0),
        (r#"{"httpGet":{"port":0}}"#, App::answers(200), "config", 0),
        (TCP, App::answers(418), "agent", 0),
    ] {
        let mut host = host(entry);
        for n in 1..=3 {
            host.run(get(READYZ), |_| app.clone());
            assert_eq!(total(&host, "readiness", result), Some(n), "{entry} {result}");
            assert_eq!(up(&host, "readiness"), Some(is_up), "{entry} {result}");
        }
        let counters = host.state().process.names();
        let counters = counters.iter().filter(|name| name.contains("probe_total")).count();
        assert_eq!(counters, 1, "{entry} {result}: no counter before it is needed");
    }
}

/// The kubelet ignores the status of a hook.
#[test]
fn hooks_are_counted_and_have_no_gauge() {
    let mut host = host(HTTP);
    for (app, result) in [(App::answers(500), "ok"), (App::Fails(Refused), "refused")] {
        host.run(get(PRESTOPZ), |_| app.clone());
        assert_eq!(total(&host, "prestop", result), Some(1));
        assert_eq!(up(&host, "prestop"), None);
    }
}

#[test]
fn a_client_that_goes_away_is_counted_and_changes_nothing() {
    for (app, is_up) in [(App::answers(200), 1), (App::answers(500), 0)] {
        let mut host = host(HTTP);
        host.run(get(READYZ), |_| app.clone());
        changes(&mut host);
        for n in 1..=2 {
            let id = host.request(get(READYZ));
            host.client_gone(id);
            assert_eq!(total(&host, "readiness", "abandoned"), Some(n));
        }
        assert_eq!(up(&host, "readiness"), Some(is_up));
        assert_eq!(changes(&mut host), [""; 0]);
    }
    let mut host = host(HTTP);
    let id = host.request(get(READYZ));
    host.client_gone(id);
    assert_eq!(up(&host, "readiness"), None, "nothing is known of the app");
}

#[test]
fn nothing_that_a_client_sends_becomes_a_metric() {
    let mut host = host(HTTP);
    let before = host.state().process.names();
    assert_eq!(before, ["app_health_recorded_probes", "app_health_config_valid"]);
    for path in ["/app-health/x/readyz", "/app-health/a;.;b/livez", "/app-lifecycle/", "/healthz"] {
        let id = host.request(get(path).with(":method", "POST"));
        host.client_gone_unless_ended(id);
    }
    host.run(get(READYZ).with_body(), unasked);
    host.run(get(READYZ).with(":method", "DELETE"), unasked);
    assert_eq!(host.state().process.names(), before);
}

#[test]
fn what_is_recorded_and_whether_it_is_valid() {
    let valid = format!(r#"{{"{READYZ}":{HTTP},"/app-health/b/livez":{HTTP}}}"#);
    let wrong = format!(r#"{{"{READYZ}":{HTTP},"/app-health/b/livez":{{}}}}"#);
    for (variable, plugin, recorded, is_valid) in [
        (&*valid, "{}", 2, 1),
        (&*wrong, "{}", 2, 0),
        ("{", "{}", 0, 0),
        ("", "", 0, 1),
        (&*valid, r#"{"status_codes":"no"}"#, 2, 0),
    ] {
        let builder = Host::builder().env("ISTIO_KUBE_APP_PROBERS", variable);
        let host = builder.plugin_config(plugin).build();
        let gauge = |name| host.state().process.metric(name, &[]);
        let gauges = [gauge("app_health_recorded_probes"), gauge("app_health_config_valid")];
        assert_eq!(gauges, [Some(recorded), Some(is_valid)], "{variable} {plugin}");
    }
}

#[test]
fn tcp_checks_are_counted_by_who_made_them() {
    let mut host = host(TCP);
    host.run(get(READYZ), |_| App::answers(200));
    assert_eq!((tcp_checks(&host, "agent"), tcp_checks(&host, "envoy")), (Some(1), None));
    // No agent: a local reply of Envoy's, then the connection by the router.
    for _ in 0..2 {
        host.run(get(READYZ), |_| App::Fails(Refused));
    }
    assert_eq!((tcp_checks(&host, "agent"), tcp_checks(&host, "envoy")), (Some(1), Some(2)));
}

#[test]
fn a_change_is_noticed_once_whichever_worker_sees_it() {
    let mut one = host(HTTP);
    changes(&mut one);
    let mut two = beside(&one);
    one.run(get(READYZ), |_| App::answers(200));
    two.run(get(READYZ), |_| App::answers(500));
    assert_eq!(changes(&mut two).len(), 1);
    one.run(get(READYZ), |_| App::answers(500));
    assert_eq!(changes(&mut one), [""; 0], "the other has logged it");
    one.run(get(READYZ), |_| App::answers(200));
    assert_eq!(changes(&mut one).len(), 1);
    two.run(get(READYZ), |_| App::answers(200));
    assert_eq!(changes(&mut two), [""; 0]);
    two.run(get(READYZ), |_| App::answers(500));
    one.run(get(READYZ), |_| App::answers(200));
    assert_eq!(changes(&mut one).len(), 1, "it has itself seen nothing but this");
    let totals = ["ok", "status"].map(|result| total(&one, "readiness", result));
    assert_eq!((totals, up(&one, "readiness")), ([Some(4), Some(3)], Some(1)));
}

#[test]
fn a_change_says_how_long_the_state_before_has_held() {
    let mut one = host(HTTP);
    changes(&mut one);
    one.run(get(READYZ), |_| App::answers(200));
    for (held, app, says) in [
        (8, App::answers(500), "after passing for 8s"),
        (182, App::answers(200), "after failing for 3m2s"),
        (5 * 3600 + 720, App::answers(404), "after passing for 5h12m"),
        (3 * 86400 + 4 * 3600, App::answers(200), "after failing for 3d4h"),
    ] {
        let mut other = beside(&one);
        other.state_mut().now = one.state().now;
        other.advance(Duration::from_secs(held));
        other.run(get(READYZ), |_| app.clone());
        let lines = changes(&mut other);
        assert!(lines.len() == 1 && lines[0].contains(says), "{says}: {lines:?}");
        one = other;
    }
}

/// An upgrade of the filter, or of its configuration, does not forget the state.
#[test]
fn the_state_survives_a_new_configuration() {
    let mut host = host(HTTP);
    host.run(get(READYZ), |_| App::answers(500));
    changes(&mut host);
    host.configure();
    changes(&mut host);
    host.advance(Duration::from_secs(30));
    host.run(get(READYZ), |_| App::answers(500));
    assert_eq!(changes(&mut host), [""; 0], "it fails as before");
    host.run(get(READYZ), |_| App::answers(200));
    assert!(changes(&mut host)[0].contains("after failing for 30s"));
}

/// Values that another version has written, or whoever, are as good as none.
#[test]
fn a_value_that_is_not_understood_is_none() {
    for value in [
        "",
        "1",
        "2 1 passes 1 ok ",
        "1 x passes 1 ok ",
        "1 1 passes x ok ",
        "\u{0}",
        "1 1 fails 1",
    ] {
        let mut host = host(HTTP);
        let value = (value.as_bytes().to_vec(), 7);
        host.state().process.lock().shared.insert(READYZ.to_owned(), value.clone());
        changes(&mut host);
        host.run(get(READYZ), |_| App::answers(500));
        let lines = changes(&mut host);
        assert!(lines.len() == 1 && !lines[0].contains("after"), "{value:?}: {lines:?}");
        host.run(get(READYZ), |_| App::answers(200));
        assert_eq!(changes(&mut host).len(), 1, "{value:?}");
    }
}

#[test]
fn a_probe_that_goes_on_failing_is_repeated_once_a_minute() {
    let mut host = host(HTTP);
    changes(&mut host);
    let mut logged = Vec::new();
    for n in 0..=24 {
        host.run(get(READYZ), |_| App::Fails(Refused));
        logged.extend(changes(&mut host).into_iter().map(|line| (n * 10, line)));
        host.advance(Duration::from_secs(10));
    }
    let times: Vec<_> = logged.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [0, 60, 120, 180, 240], "{logged:?}");
    for (_, line) in &logged[1..] {
        assert!(
            line.contains("app/readinessProbe: still failing, 6 times in 1m0s: 500 refused: "),
            "{line}"
        );
    }
    host.run(get(READYZ), |_| App::answers(200));
    host.run(get(READYZ), |_| App::answers(500));
    assert_eq!(changes(&mut host).len(), 2, "then it begins anew");
}

/// What another worker has seen pass meanwhile is no longer the same failure.
#[test]
fn a_failure_after_a_success_of_another_worker_is_no_repetition() {
    let mut one = host(HTTP);
    let mut two = beside(&one);
    changes(&mut one);
    for (at, status, lines) in [(0, 500, [1, 0]), (30, 200, [0, 1]), (60, 500, [0, 1])] {
        two.state_mut().now = Duration::from_secs(1000 + at);
        one.state_mut().now = Duration::from_secs(1000 + at);
        let host = if at == 0 { &mut one } else { &mut two };
        host.run(get(READYZ), |_| App::answers(status));
        assert_eq!([changes(&mut one).len(), changes(&mut two).len()], lines, "{at}");
    }
    one.advance(Duration::from_secs(30));
    one.run(get(READYZ), |_| App::answers(500));
    assert_eq!(changes(&mut one), [""; 0], "it fails for 30 s, not for 90");
    one.advance(Duration::from_secs(60));
    one.run(get(READYZ), |_| App::answers(500));
    assert_eq!(changes(&mut one).len(), 1);
}
