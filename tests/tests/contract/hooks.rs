//! Lifecycle hooks. The kubelet ignores the status of an answer, so that a hook which the app does not
//! answer has to have its connection closed.

use std::time::Duration;

use super::{
    HTTP, HTTPS, PRESTOPZ, READYZ, assert_failure, assert_status, get, hook, host, probe, unasked,
};
use crate::host::Host;
use crate::host::app::{App, BodyEnd::*, UpstreamFailure::*};
use crate::host::run::{ProbeRun, UpstreamRequest, Via};
use crate::host::stream::StreamEnd;

const TCP: &str = r#"{"tcpSocket":{"port":2940}}"#;

#[track_caller]
fn assert_closed(name: &str, probe: &ProbeRun) {
    assert_eq!(probe.end, StreamEnd::Reset, "{name}: {probe:#?}");
}

#[test]
fn any_answer_is_passed_on() {
    for status in [200, 204, 300, 302, 304, 400, 404, 500, 503, 599] {
        assert_status("head only", &hook(HTTP, |_| App::answers(status)), status);
        assert_status("body", &hook(HTTP, |_| App::answers(status).text("x")), status);
    }
}

#[test]
fn a_status_that_is_none_becomes_a_success() {
    for status in ["101", "199", "600", "999"] {
        let redirected = |sent: &UpstreamRequest| match sent.via {
            Via::Router => App::redirects(302, "/x"),
            _ => App::answers(status),
        };
        for probe in [
            hook(HTTP, |_| App::answers(status)),
            hook(HTTP, |_| App::answers(status).text("x")),
            hook(HTTP, redirected),
        ] {
            assert!((200..300).contains(&probe.status()), "{status}: {probe:#?}");
        }
    }
}

/// To Go's client such an answer is no HTTP at all.
#[test]
fn a_status_below_100_closes_the_connection() {
    for status in ["099", "0"] {
        assert_closed(status, &hook(HTTP, |_| App::answers(status)));
    }
}

#[test]
fn no_answer_closes_the_connection() {
    for failure in [Refused, Unreachable, Reset, NoHttp] {
        let name = format!("{failure:?}");
        for entry in [HTTP, HTTPS] {
            assert_closed(&name, &hook(entry, |_| App::Fails(failure)));
        }
        let hop = hook(HTTP, |sent| match sent.via {
            Via::Router => App::redirects(302, "/x"),
            _ => App::Fails(failure),
        });
        assert_closed(&name, &hop);
    }
    let entry = r#"{"httpGet":{"port":8080},"timeoutSeconds":2}"#;
    assert_closed("not in time", &hook(entry, |_| App::Fails(Silent)));
    let tls = "TLS to an HTTP redirect's target";
    let probe = hook(HTTP, |sent| match sent.via {
        Via::Router => App::redirects(302, "https://10.0.0.7:81/"),
        _ => App::Fails(Reset),
    });
    assert_closed(tls, &probe);
}

/// A hook may take as long as it likes.
#[test]
fn a_hook_has_no_timeout() {
    let hours = Duration::from_secs(10_000);
    let probe = hook(HTTP, |_| App::answers(204).after(hours));
    assert_status("", &probe, 204);
    assert_eq!((probe.took, probe.sent[0].timeout), (hours, None));
}

/// A dispatched call goes on when its client has gone, and so needs a limit.
#[test]
fn a_later_hop_of_a_hook_has_an_hour() {
    let hour = Duration::from_secs(3600);
    let most = hour - Duration::from_secs(1);
    let probe = hook(HTTP, |_| App::redirects(302, "/x").after(most));
    assert_eq!(probe.took, most * 10);
    assert_closed("ten redirects", &probe);
    assert!(probe.sent[1..].iter().all(|sent| sent.timeout == Some(hour)), "{probe:#?}");
    let late = hook(HTTP, |sent| match sent.via {
        Via::Router => App::redirects(302, "/x"),
        _ => App::answers(204).after(hour + Duration::from_secs(1)),
    });
    assert_closed("later than that", &late);
    let tcp = hook(TCP, |sent| {
        let limits = (sent.timeout, sent.headers.get("x-app-health-timeout-ms"));
        assert_eq!(limits, (Some(hour), None));
        App::answers(200).after(most)
    });
    assert_status("tcp", &tcp, 200);
}

#[test]
fn redirects() {
    for (location, status) in [
        ("/x", 204),
        ("https://10.0.0.7:81/x", 204),
        ("http://other/", 302),
        ("", 302),
        ("%zz", 0),
        (":foo", 0),
        ("ftp://10.0.0.7/", 0),
        ("http://10.0.0.7:99999/", 0),
    ] {
        let probe = hook(HTTP, |sent| match sent.via {
            Via::Router => App::redirects(302, location),
            _ => App::answers(204),
        });
        match status {
            0 => assert_closed(location, &probe),
            _ => assert_status(location, &probe, status),
        }
    }
}

#[test]
fn the_body_ends_it_or_10_kib_of_it() {
    for (size, end, length) in [
        (5, Whole, None),
        (0, EmptyPiece, None),
        (0, Trailers, None),
        (5, Trailers, None),
        (10_240, Stalls, None),
        (0, Endless, None),
        (10_240, Broken, None),
        // `local_reply_config` of the listener answers this one.
        (5, Broken, None),
        (0, Stalls, Some("10241")),
        (0, Stalls, Some("4294967296")),
    ] {
        let mut app = App::answers(503).body(size).ends(end.clone());
        if let Some(length) = length {
            app = app.header("content-length", length);
        }
        let probe = hook(HTTP, |_| app.clone());
        let status = if (size, &end) == (5, &Broken) { 200 } else { 503 };
        assert_eq!(probe.status(), status, "{size} {end:?} {length:?}: {probe:#?}");
    }
}

/// A probe does not end with the headers, however long a body they announce.
#[test]
fn an_announced_length_ends_only_hooks() {
    let app = App::answers(200).header("content-length", "10241").ends(Stalls);
    assert_eq!(probe(HTTP, |_| app.clone()).status(), 504);
}

#[test]
fn https_answered_by_plain_http_is_tried_again_over_http() {
    let entry = r#"{"httpGet":{"port":8080,"scheme":"HTTPS","path":"/p?q"}}"#;
    let request = get(PRESTOPZ).header("authorization", "secret").header("x-a", "1");
    for (second, status) in [
        (App::answers(204), 204),
        (App::answers(500), 500),
        (App::Fails(Refused), 0),
        (App::Fails(NoHttp), 0),
    ] {
        let probe = host(entry).run(request.clone(), |sent| match sent.via {
            Via::Router => App::Fails(NoTls),
            _ => second.clone(),
        });
        assert_eq!(probe.urls(), ["https://10.0.0.7:8080/p?q", "http://10.0.0.7:8080/p?q"]);
        assert_eq!(probe.status(), status, "{second:?}");
        let sent = &probe.sent[1];
        assert_eq!(sent.cluster, "app_http_hop");
        assert_eq!(sent.headers.get("authorization"), None);
        assert_eq!(sent.headers.get("referer"), None);
        assert_eq!(sent.headers.get("x-a").as_deref(), Some("1"));
        assert_eq!(sent.headers.get(":authority").as_deref(), Some("10.0.0.7:8080"));
    }
    let probe = probe(HTTPS, |_| App::Fails(NoTls));
    assert_failure("a probe is not tried again", &probe, 502, "tls");
    assert_eq!(probe.sent.len(), 1);
}

#[test]
fn the_second_try_may_redirect() {
    let probe = hook(HTTPS, |sent| match sent.url().as_str() {
        "https://10.0.0.7:8080/" => App::Fails(NoTls),
        "http://10.0.0.7:8080/" => App::redirects(302, "/x"),
        _ => App::answers(204),
    });
    assert_status("", &probe, 204);
    assert_eq!(probe.sent.len(), 3);
}

#[test]
fn tcp_hooks() {
    for (app, accepts) in [
        (App::answers(200), true),
        (App::answers(500).text("connection refused"), false),
        (App::answers(400), false),
        (App::Fails(Refused), false),
    ] {
        let probe = hook(TCP, |_| app.clone());
        match accepts {
            true => assert_status("", &probe, 200),
            false => assert_closed(&format!("{app:?}"), &probe),
        }
    }
}

#[test]
fn a_dispatch_that_fails_at_once() {
    for entry in [HTTP, HTTPS] {
        let mut host: Host = host(entry);
        host.state_mut().dispatch_fails = true;
        let probe = host.run(get(PRESTOPZ), |_| App::redirects(302, "/x"));
        assert_closed(entry, &probe);
    }
}

/// Only the hook's connection is closed: a readiness probe on another one is answered.
#[test]
fn one_closed_hook_harms_nothing() {
    let mut host = host(HTTP);
    let closed = host.run(get(PRESTOPZ), |_| App::Fails(Refused));
    assert_closed("", &closed);
    assert_status("", &host.run(get(READYZ), |_| App::answers(200)), 200);
}

/// A hook has no timeout, so that its runs would pile up where it stalls.
#[test]
fn sixteen_runs_of_a_hook_at_once() {
    let mut host = host(HTTP);
    let running: Vec<u32> = (0..16).map(|_| host.request(get(PRESTOPZ))).collect();
    let one_more = host.request(get(PRESTOPZ));
    assert_eq!(host.stream(one_more).end(), Some(&StreamEnd::Reset));
    // Probes and other hooks still run, and so does this hook once one of its runs has ended.
    for path in [READYZ, "/app-lifecycle/app/poststartz"] {
        assert_status(path, &host.run(get(path), |_| App::answers(200)), 200);
    }
    host.client_gone(running[0]);
    assert_status("", &host.run(get(PRESTOPZ), |_| App::answers(200)), 200);
}

/// A dispatched call goes on when its client has gone. Nobody tells the filter when it ends, so that it
/// counts for as long as it may take. Routed runs, which end with their clients, are not kept out.
#[test]
fn calls_that_go_on_count() {
    let mut host = host(HTTP);
    let typed = get(PRESTOPZ).header("content-type", "application/grpc");
    for _ in 0..16 {
        let id = host.request(typed.clone());
        host.client_gone(id);
    }
    assert_eq!(host.state().callouts.len(), 16);
    assert_closed("one more", &host.run(typed.clone(), unasked));
    assert_status("routed", &host.run(get(PRESTOPZ), |_| App::answers(204)), 204);
    host.state_mut().now += Duration::from_secs(3599);
    assert_closed("within the hour", &host.run(typed.clone(), unasked));
    host.state_mut().now += Duration::from_secs(1);
    assert_eq!(host.run(typed, |_| App::answers(200)).status(), 200);
}

/// Calls that have ended do not count.
#[test]
fn calls_one_after_the_other() {
    let mut host = host(HTTP);
    let typed = get(PRESTOPZ).header("content-type", "application/grpc");
    for n in 0..40 {
        assert_eq!(host.run(typed.clone(), |_| App::answers(200)).status(), 200, "{n}");
    }
}
