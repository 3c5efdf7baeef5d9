//! Probes with a gRPC Content-Type. Envoy takes them for gRPC calls, and turns each local reply to them
//! into a gRPC status with the HTTP status 200.

use super::{HTTP, HTTPS, NO_TEXT, PRESTOPZ, READYZ, call, get, host};
use crate::host::DownstreamRequest;
use crate::host::app::{App, BodyEnd::*, UpstreamFailure::*};
use crate::host::run::{ProbeRun, UpstreamRequest, Via};
use crate::host::stream::StreamEnd;

const TYPES: [&str; 3] = ["application/grpc", "application/grpc+proto", "application/grpc-web"];

fn request(path: &str, content_type: &str) -> DownstreamRequest {
    get(path).header("content-type", content_type)
}

fn probe(entry: &str, content_type: &str, app: impl FnMut(&UpstreamRequest) -> App) -> ProbeRun {
    host(entry).run(request(READYZ, content_type), app)
}

#[test]
fn no_success_but_the_apps_own() {
    for content_type in TYPES {
        for (name, app, status) in [
            ("passes", App::answers(204).body(9), 204),
            ("fails", App::answers(503), 503),
            ("fails, with a body", App::answers(503).text("no"), 503),
            ("leaves", App::redirects(302, "http://elsewhere/"), 302),
            ("refuses", App::Fails(Refused), 500),
            ("resets", App::Fails(Reset), 500),
            ("sends garbage", App::Fails(NoHttp), 502),
            ("hangs", App::Fails(Silent), 504),
            ("breaks off", App::answers(200).body(9).ends(Broken), 502),
            ("redirects in a loop", App::redirects(302, "/"), 502),
        ] {
            let probe = probe(HTTP, content_type, |_| app.clone());
            assert_eq!(probe.status(), status, "{content_type}: {name}: {probe:#?}");
            assert!(probe.sent.iter().all(|sent| sent.via == Via::HttpCall), "{name}: {probe:#?}");
        }
    }
}

/// Envoy also reports the failure of a dispatched call with such a type as a gRPC status.
#[test]
fn failures_that_envoy_reports_as_a_grpc_status() {
    for (message, status) in [
        (&b"upstream request timeout"[..], 504),
        (
            b"upstream connect error or disconnect/reset before headers. reset reason: protocol error",
            502,
        ),
        (
            b"upstream connect error or disconnect/reset before headers. reset reason: connection termination",
            500,
        ),
        (b"\xff reset reason: protocol error", 502),
    ] {
        let mut host = host(HTTP);
        let id = host.request(request(READYZ, TYPES[0]));
        let token = call(&host).token;
        host.answer_http_call(
            token,
            crate::host::callout::CalloutResponse {
                headers: Some(crate::host::headers::Headers::of([
                    (":status", &b"200"[..]),
                    ("grpc-status", b"14"),
                    ("grpc-message", message),
                ])),
                ..Default::default()
            },
        );
        assert_eq!(host.stream(id).response().expect("an answer").status(), status, "{message:?}");
    }
}

#[test]
fn the_app_still_sees_the_header_on_later_hops_too() {
    for (entry, cluster) in [(HTTP, "app_http_hop"), (HTTPS, "app_https_hop")] {
        let probe = probe(entry, TYPES[0], |sent| match sent.headers.get(":path").as_deref() {
            Some("/") => App::redirects(302, "/next"),
            _ => App::answers(200),
        });
        assert_eq!((probe.status(), probe.sent.len()), (200, 2), "{probe:#?}");
        for sent in &probe.sent {
            assert_eq!(sent.cluster, cluster);
            assert_eq!(sent.headers.get("content-type").as_deref(), Some(TYPES[0]));
            assert_eq!(sent.destination, "10.0.0.7:8080");
        }
    }
}

/// Every request of such a probe is dispatched, also the first.
#[test]
fn values_that_are_no_text() {
    let typed = request(READYZ, TYPES[0]).header("x-a", NO_TEXT).header("x-b", "1");
    let answer = App::answers(204).header("x", NO_TEXT);
    let probe = host(HTTP).run(typed, |_| answer.clone());
    assert_eq!(probe.status(), 204);
    assert_eq!(probe.sent[0].headers.get("x-b").as_deref(), Some("1"));
    let no_text = [b"application/grpc", NO_TEXT].concat();
    let typed = get(READYZ).header("content-type", no_text);
    let probe = host(HTTP).run(typed, |_| App::Fails(Refused));
    assert_eq!(probe.status(), 500);
}

#[test]
fn what_is_refused_keeps_its_status() {
    let unasked = super::unasked;
    let of = |path: &str| request(path, TYPES[0]);
    for (name, request, status) in [
        ("not recorded", of("/app-health/x/readyz"), 400),
        ("a POST", of(READYZ).with(":method", "POST"), 405),
        ("a body", of(READYZ).with_body(), 400),
        ("an address that is none", of(READYZ).property("destination.address", "x"), 500),
    ] {
        assert_eq!(host(HTTP).run(request, unasked).status(), status, "{name}");
    }
}

#[test]
fn hooks() {
    for (name, app, outcome) in [
        ("answers", App::answers(503), 503),
        ("refuses", App::Fails(Refused), 0),
        ("redirects in a loop", App::redirects(302, "/"), 0),
    ] {
        let probe = host(HTTP).run(request(PRESTOPZ, TYPES[0]), |_| app.clone());
        assert_eq!(probe.status(), outcome, "{name}: {probe:#?}");
        assert_eq!(probe.end == StreamEnd::Reset, outcome == 0, "{name}");
    }
}
