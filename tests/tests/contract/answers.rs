//! What the app answers to an HTTP probe, and what the kubelet is told.

use std::time::Duration;

use super::{HTTP, HTTPS, NO_TEXT, READYZ, assert_failure, assert_status, call, get, host, probe};
use crate::host::Host;
use crate::host::app::{App, BodyEnd::*, UpstreamFailure::*};
use crate::host::headers::Headers;
use crate::host::stream::StreamPhase;

#[test]
fn the_apps_status() {
    for status in [200, 201, 204, 206, 299, 400, 401, 403, 404, 429, 499, 500, 503, 504, 599] {
        for app in [
            App::answers(status),
            App::answers(status).text("secret"),
            App::answers(status).header("set-cookie", "x").header("x-envoy-y", "1"),
            App::answers(status)
                .text("a")
                .header("content-type", "text/html")
                .header("x", "\u{ff}"),
            App::answers(status)
                .text(NO_TEXT)
                .header("x", NO_TEXT)
                .header("content-type", NO_TEXT)
                .header("content-length", NO_TEXT),
        ] {
            for entry in [HTTP, HTTPS] {
                let name = format!("{app:?}");
                assert_status(&name, &probe(entry, |_| app.clone()), status);
            }
        }
    }
}

/// The kubelet counts such an answer as a success, and raises its warning event.
#[test]
fn a_3xx_that_is_left_over() {
    for status in [300, 301, 302, 303, 304, 305, 306, 307, 308, 309, 399] {
        assert_status("no Location", &probe(HTTP, |_| App::answers(status)), status);
        let app = App::answers(status).text("moved").header("content-length", "5");
        assert_status("with a body", &probe(HTTP, |_| app.clone()), status);
    }
}

#[test]
fn a_status_that_is_none() {
    for status in ["101", "100", "102", "199", "0", "99", "099", "600", "700", "999", "1000"] {
        let bare = probe(HTTP, |_| App::answers(status));
        assert_failure(status, &bare, 502, "status");
        let with_body = probe(HTTP, |_| App::answers(status).text("x"));
        assert_failure(status, &with_body, 502, "status");
    }
}

#[test]
fn no_answer() {
    for (failure, status, why) in [
        (Refused, 500, "refused"),
        (Unreachable, 500, "unreachable"),
        (Reset, 500, ""),
        (NoHttp, 502, "http"),
        (NoTls, 502, "tls"),
        (Silent, 504, "time"),
    ] {
        for entry in [HTTP, HTTPS] {
            let probe = probe(entry, |_| App::Fails(failure));
            assert_failure(&format!("{failure:?}"), &probe, status, why);
        }
    }
}

/// Envoy's local replies are told apart by their `response.code_details`.
#[test]
fn what_else_envoy_replies() {
    for (code, details, status) in [
        (503, "no_healthy_upstream", 500),
        (503, "cluster_not_found", 500),
        (404, "route_not_found", 500),
        (503, "upstream_reset_before_response_started{overflow}", 500),
        (503, "upstream_reset_before_response_started{connection_termination|x}", 500),
        (503, "upstream_reset_before_response_started{remote_reset}", 500),
        (
            503,
            "upstream_reset_before_response_started{local_connection_failure|failed_to_bind_to_[::6]:0:_Cannot_assign_requested_address}",
            500,
        ),
        (503, "upstream_reset_before_response_started{connection_timeout}", 504),
        (504, "response_timeout", 504),
        (502, "upstream_reset_before_response_started{protocol_error|x}", 502),
        (503, "", 500),
        (200, "via_the_moon", 500),
    ] {
        let mut host = host(HTTP);
        let id = host.request(get(READYZ));
        host.envoy_replies(id, code, details, "upstream connect error\nand more");
        let StreamPhase::Ended(end) = host.stream(id).phase.clone() else { panic!("{details}") };
        let probe = crate::host::run::ProbeRun { end, sent: vec![], took: Duration::ZERO };
        assert_failure(details, &probe, status, "");
    }
}

const KIB_10: usize = 10_240;

#[test]
fn the_body_counts_up_to_10_kib() {
    for (size, end, status) in [
        (0, Whole, 200),
        (0, EmptyPiece, 200),
        (0, Trailers, 200),
        (1, Whole, 200),
        (1, Trailers, 200),
        (KIB_10 - 1, Whole, 200),
        (KIB_10 - 1, EmptyPiece, 200),
        (KIB_10 - 1, Trailers, 200),
        (KIB_10, Whole, 200),
        (KIB_10, EmptyPiece, 200),
        (KIB_10 + 1, Whole, 200),
        (1 << 20, Whole, 200),
        (0, Endless, 200),
        (KIB_10, Endless, 200),
        (0, Broken, 502),
        (1, Broken, 502),
        (KIB_10 - 1, Broken, 502),
        (KIB_10, Broken, 200),
        (KIB_10 + 1, Broken, 200),
        (0, Stalls, 504),
        (1, Stalls, 504),
        (KIB_10 - 1, Stalls, 504),
        (KIB_10, Stalls, 200),
    ] {
        for app_status in [200, 404, 500] {
            let name = format!("{size} {end:?} {app_status}");
            let app = App::answers(app_status).body(size).ends(end.clone());
            let probe = probe(HTTP, |_| app.clone());
            let expected = if status == 200 { app_status } else { status };
            assert_eq!(probe.status(), expected, "{name}: {probe:#?}");
            let body = probe.response().map(|answer| answer.body.len());
            assert_eq!(body, Some(0), "{name}: nothing of the body is passed on");
            let full_time = status == 504;
            assert_eq!(probe.took == Duration::from_secs(1), full_time, "{name}: {:?}", probe.took);
        }
    }
}

/// The filter keeps nothing of a body, so that memory stays flat.
#[test]
fn pieces_of_any_size() {
    for size in [1, 3, 1000, 10_239, 10_240, 16_384, 32_768] {
        let mut host = host(HTTP);
        let id = host.request(get(READYZ));
        host.respond(id, Headers::of([(":status", "200")]), false);
        let mut sent = 0;
        while host.stream(id).end().is_none() {
            host.respond_body(id, &vec![b'x'; size], false);
            sent += size;
            let kept = host.stream(id).buffered_body.as_ref().map_or(0, Vec::len);
            assert!(kept == 0 || sent >= KIB_10, "{size}: {kept} bytes are kept");
        }
        assert_eq!(sent, KIB_10.div_ceil(size) * size, "{size}: at 10 KiB it is decided");
    }
}

#[test]
fn an_answer_within_the_timeout() {
    for (entry, after, status) in [
        (HTTP, 999, 200),
        (HTTP, 1000, 504),
        (r#"{"httpGet":{"port":8080},"timeoutSeconds":5}"#, 4999, 200),
        (r#"{"httpGet":{"port":8080},"timeoutSeconds":5}"#, 5000, 504),
    ] {
        let after = Duration::from_millis(after);
        let probe = probe(entry, |_| App::answers(200).after(after));
        assert_eq!((probe.status(), probe.took), (status, after), "{entry}");
    }
}

/// A check sends one request, and never repeats it.
#[test]
fn nothing_is_repeated() {
    for app in [App::Fails(Refused), App::Fails(NoTls), App::answers(503)] {
        for entry in [HTTP, HTTPS] {
            assert_eq!(probe(entry, |_| app.clone()).sent.len(), 1, "{app:?}");
        }
    }
}

/// The probes of a pod run at the same time, and their answers come in any order.
#[test]
fn many_at_once() {
    let mut host: Host = host(HTTP);
    let ids: Vec<u32> = (0..100).map(|_| host.request(get(READYZ))).collect();
    for (n, id) in ids.iter().enumerate().rev() {
        let status = (200 + n).to_string();
        host.respond(*id, Headers::of([(":status", status)]), n % 2 == 0);
        host.respond_body(*id, b"x", true);
    }
    for (n, id) in ids.iter().enumerate() {
        let answer = host.stream(*id).response().expect("a response");
        assert_eq!(usize::from(answer.status()), 200 + n);
    }
}

/// A client may go away in every state of its check; what comes afterwards harms nobody.
#[test]
fn a_client_that_goes_away() {
    let mut host = host(HTTP);
    let waiting = host.request(get(READYZ));
    host.client_gone(waiting);
    let in_body = host.request(get(READYZ));
    host.respond(in_body, Headers::of([(":status", "200")]), false);
    host.respond_body(in_body, b"x", false);
    host.client_gone(in_body);
    let redirected = host.request(get(READYZ));
    host.respond(redirected, Headers::of([(":status", "302"), ("location", "/x")]), true);
    host.client_gone(redirected);
    let token = call(&host).token;
    host.answer_http_call(token, Default::default());
    let after = host.run(get(READYZ), |_| App::answers(200));
    assert_status("the next one", &after, 200);
}
