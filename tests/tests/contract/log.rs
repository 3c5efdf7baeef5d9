//! The lines in Envoy's log: changes at info and above, every probe at debug.

use super::{HTTP, READYZ, get, host, unasked};
use crate::host::Host;
use crate::host::app::{App, BodyEnd::*, UpstreamFailure::*};
use crate::host::headers::Headers;
use crate::host::state::{LogLevel, LogLine};

fn lines(host: &mut Host) -> (Vec<LogLine>, Vec<LogLine>) {
    let log = std::mem::take(&mut host.state_mut().log);
    log.into_iter().partition(|line| line.level > LogLevel::Debug)
}

#[test]
fn a_line_when_a_probe_changes() {
    let mut host = host(HTTP);
    lines(&mut host);
    for (step, app, change) in [
        (0, App::answers(200), None),
        (1, App::answers(404), Some("404")),
        (2, App::answers(404), None),
        (3, App::Fails(Refused), None),
        (4, App::answers(302), Some("302")),
        (5, App::answers(200), None),
        (6, App::Fails(Refused), Some("refused")),
        (7, App::answers(200).body(9).ends(Broken), None),
        (8, App::answers(200), Some("200")),
        (9, App::answers(200).body(9).ends(Broken), Some("broke")),
        (10, App::answers(200), Some("200")),
        (11, App::Fails(Silent), Some("time")),
        (12, App::redirects(302, "/x"), None),
        (13, App::answers(200), Some("200")),
    ] {
        host.run(get(READYZ), |_| app.clone());
        let (changes, probes) = lines(&mut host);
        assert_eq!(probes.len(), 1, "{step}: every probe at debug: {probes:?}");
        assert_eq!(changes.len(), usize::from(change.is_some()), "{step}: {changes:?}");
        for line in changes {
            let says = [change.expect("a change"), "app", "readinessProbe"];
            for word in says {
                assert!(line.text.contains(word), "{step}: no {word:?} in {line:?}");
            }
        }
    }
}

#[test]
fn only_changes_where_envoy_does_not_log_debug() {
    let mut host = host(HTTP);
    host.state_mut().log_level = LogLevel::Info;
    lines(&mut host);
    for (status, changes) in [(200, 0), (500, 1), (500, 0), (200, 1)] {
        host.run(get(READYZ), |_| App::answers(status));
        let (changed, probes) = lines(&mut host);
        assert_eq!((changed.len(), probes.len()), (changes, 0), "{status}: {changed:?}");
    }
}

/// Envoy's level "off" is above all levels that a line can have.
#[test]
fn what_envoys_level_leaves_out() {
    use LogLevel::*;
    let lines_at = |level| {
        let builder = Host::builder().env("ISTIO_KUBE_APP_PROBERS", super::variable(HTTP));
        let mut host = builder.log_level(level).build();
        for status in [200, 500, 200] {
            host.run(get(READYZ), |_| App::answers(status));
        }
        (std::mem::take(&mut host.state_mut().log), host.state().unlogged)
    };
    let (all, _) = lines_at(Trace);
    for (level, count) in [(Debug, 6), (Info, 3), (Warn, 1), (Error, 0), (Critical, 0), (Off, 0)] {
        let mut expected = all.clone();
        expected.retain(|line| line.level >= level);
        assert_eq!(lines_at(level), (expected.clone(), 0), "{level:?}");
        assert_eq!(expected.len(), count, "{level:?}: {expected:?}");
    }
}

/// An operator may change Envoy's level at any time.
#[test]
fn where_envoys_log_is_switched_off() {
    for entry in [HTTP, r#"{"tcpSocket":{"port":1}}"#] {
        let mut host = host(entry);
        lines(&mut host);
        for (level, said) in
            [(LogLevel::Off, false), (LogLevel::Trace, true), (LogLevel::Off, false)]
        {
            host.state_mut().log_level = level;
            for status in [500, 200] {
                assert_eq!(host.run(get(READYZ), |_| App::answers(status)).status(), status);
            }
            assert_eq!(!host.log_text().is_empty(), said, "{level:?}: {}", host.log_text());
            assert_eq!(host.state().unlogged, 0, "{level:?}");
            lines(&mut host);
        }
    }
}

/// The filter's context for such a request gets `proxy_on_log`, and nothing before.
#[test]
fn a_request_that_envoy_refuses_itself() {
    let mut host = host(HTTP);
    lines(&mut host);
    host.refused_by_envoy();
    assert_eq!(lines(&mut host), (vec![], vec![]));
    assert_eq!(host.run(get(READYZ), |_| App::answers(204)).status(), 204);
}

#[test]
fn each_probe_changes_by_itself() {
    let mut host = Host::with_probers(format!(
        r#"{{"/app-health/a/livez":{HTTP},"/app-health/a/readyz":{HTTP},"/app-health/b/readyz":{HTTP}}}"#
    ));
    lines(&mut host);
    for (path, name) in [
        ("/app-health/a/readyz", "a/readinessProbe"),
        ("/app-health/a/livez", "a/livenessProbe"),
        ("/app-health/b/readyz", "b/readinessProbe"),
    ] {
        host.run(get(path), |_| App::answers(500));
        let (changes, _) = lines(&mut host);
        assert_eq!(changes.len(), 1, "{path}");
        assert!(changes[0].text.contains(name), "{changes:?}");
    }
}

#[test]
fn hooks_fail_without_an_answer_only() {
    let mut host = host(HTTP);
    lines(&mut host);
    for (app, change) in
        [(App::answers(500), false), (App::Fails(Refused), true), (App::answers(404), true)]
    {
        host.run(get(super::PRESTOPZ), |_| app.clone());
        assert_eq!(lines(&mut host).0.len(), usize::from(change), "{app:?}");
    }
}

#[test]
fn a_success_in_the_words_of_its_protocol() {
    for (entry, app, words) in [
        (HTTP, App::answers(204), "passing: 204 from the app"),
        (r#"{"tcpSocket":{"port":1}}"#, App::answers(200), "passing: connected"),
        (r#"{"grpc":{"port":1}}"#, App::Message(vec![8, 1]), "passing: SERVING"),
    ] {
        let mut host = host(entry);
        host.run(get(READYZ), |_| App::Fails(Silent));
        lines(&mut host);
        host.run(get(READYZ), |_| app.clone());
        let changes = lines(&mut host).0;
        assert!(changes.len() == 1 && changes[0].text.contains(words), "{entry}: {changes:?}");
    }
}

/// The kubelet takes a hook for done when its answer's body breaks off.
#[test]
fn a_hook_whose_body_breaks_off_passes() {
    let mut host = host(HTTP);
    lines(&mut host);
    let probe = host.run(get(super::PRESTOPZ), |_| App::answers(200).body(9).ends(Broken));
    assert_eq!(probe.status(), 200);
    let (changes, probes) = lines(&mut host);
    assert_eq!((changes, probes.len()), (vec![], 1));
}

/// A client that goes away before the answer says nothing about the app.
#[test]
fn a_client_that_goes_away_changes_nothing() {
    for entry in [HTTP, r#"{"tcpSocket":{"port":1}}"#, r#"{"grpc":{"port":1}}"#] {
        let mut host = host(entry);
        lines(&mut host);
        for path in [READYZ, super::PRESTOPZ] {
            for _ in 0..2 {
                let id = host.request(get(path));
                host.client_gone(id);
            }
            let (changes, probes) = lines(&mut host);
            assert_eq!((changes, probes.len()), (vec![], 2), "{entry}");
            assert!(probes[0].text.contains("the client went away before it"), "{probes:?}");
        }
    }
    // The same holds while the answer's body arrives.
    let mut host = host(HTTP);
    lines(&mut host);
    let id = host.request(get(READYZ));
    host.respond(id, Headers::of([(":status", "503")]), false);
    host.client_gone(id);
    assert_eq!(lines(&mut host).0, []);
}

/// A check that is refused because of its request says nothing about the app.
#[test]
fn a_check_that_is_not_made_changes_nothing() {
    let mut tcp = host(r#"{"tcpSocket":{"port":1}}"#);
    let mut hook = host(HTTP);
    lines(&mut tcp);
    lines(&mut hook);
    let typed = get(READYZ).header("content-type", "application/grpc");
    for _ in 0..2 {
        assert_eq!(tcp.run(typed.clone(), |_| App::Fails(Refused)).status(), 500);
    }
    assert_eq!(lines(&mut tcp).0, []);
    for _ in 0..17 {
        hook.request(get(super::PRESTOPZ));
    }
    assert_eq!(lines(&mut hook).0, []);
    // Envoy's own limit ends a request that never ends.
    let mut upgrade = host(HTTP);
    lines(&mut upgrade);
    let request = get(READYZ).with("connection", "upgrade").header("upgrade", "x");
    let id = upgrade.request(request.with_body());
    upgrade.envoy_replies(id, 408, "request_overall_timeout", "request timeout");
    assert_eq!(lines(&mut upgrade).0, []);
}

/// A scan of the port must not fill the log.
#[test]
fn what_is_not_recorded_is_no_change() {
    let mut host = host(HTTP);
    lines(&mut host);
    for path in ["/app-health/x/readyz", "/app-lifecycle/", "/healthz"] {
        let id = host.request(get(path).with(":method", "POST"));
        host.client_gone_unless_ended(id);
        assert_eq!(lines(&mut host).0, [], "{path}");
    }
    host.run(get(READYZ).with_body(), unasked);
    host.run(get(READYZ).with(":method", "POST"), unasked);
    assert_eq!(lines(&mut host).0, [], "a client's mistake says nothing of the app");
}

/// No app and no variable can forge a line of Envoy's log.
#[test]
fn lines_stay_lines() {
    let evil = "x\r\n[critical] forged\u{0}";
    for (entry, app) in [
        (r#"{"tcpSocket":{"port":1}}"#, App::answers(500).text(evil)),
        (r#"{"grpc":{"port":1}}"#, App::grpc_status(2, "x\r\n[critical] forged\u{0}")),
        (HTTP, App::redirects(302, "http://10.0.0.7:x\n[critical] forged")),
    ] {
        let mut host = host(entry);
        host.run(get(READYZ), |_| app.clone());
        let (changes, probes) = lines(&mut host);
        for line in changes.iter().chain(&probes) {
            assert!(!line.text.contains(['\r', '\n', '\0']), "{line:?}");
        }
    }
    let mut host = Host::with_probers(format!(r#"{{"/a\n[critical] forged":{HTTP}}}"#));
    for line in lines(&mut host).0 {
        assert!(!line.text.contains('\n'), "{line:?}");
    }
}
