//! The paths and methods of requests on the status port.

use super::{
    HTTP, PRESTOPZ, READYZ, assert_failure, assert_status, get, host, probe, unasked, variable,
};
use crate::host::Host;
use crate::host::app::App;
use crate::host::stream::StreamPhase;

#[test]
fn a_recorded_path_matches_up_to_the_question_mark() {
    for path in [READYZ, "/app-health/app/readyz?", "/app-health/app/readyz?x=/y?z#a"] {
        let probe = host(HTTP).run(get(path), |_| App::answers(204));
        assert_status(path, &probe, 204);
        assert_eq!(probe.urls(), ["http://10.0.0.7:8080/"], "the probe's own query is not sent");
    }
}

#[test]
fn not_recorded() {
    let long = format!("/app-health/{}/readyz", "a".repeat(60_000));
    let latin: &[u8] = b"/app-health/\xe9\xff/readyz";
    for path in [
        b"/app-health/".as_slice(),
        b"/app-lifecycle/",
        b"/app-health/app",
        b"/app-health/app/livez",
        b"/app-health/app/prestopz",
        b"/app-health/app/readyz/",
        b"/app-health/app//readyz",
        b"/app-health//readyz",
        b"/app-health/APP/readyz",
        b"/app-health/app%2Freadyz",
        b"/app-health/ap%70/readyz",
        b"/app-health/./app/readyz",
        b"/app-health/x/../app/readyz",
        b"/app-health/app/readyz;x",
        b"/app-health/app/readyz#x",
        b"/app-lifecycle/app/readyz",
        b"/app-health/../../etc/passwd",
        long.as_bytes(),
        latin,
    ] {
        let probe = host(HTTP).run(get(path), unasked);
        let name = String::from_utf8_lossy(path).into_owned();
        let start: String = name.split('?').next().unwrap_or_default().chars().take(60).collect();
        assert_failure(&start, &probe, 400, &start);
        assert!(probe.reason().len() < 1000, "{start}: a reason is a line");
    }
}

/// Neither headers nor properties are touched, whatever the method.
#[test]
fn any_other_path_is_passed_on() {
    for path in [
        "/",
        "*",
        "",
        "/healthz/ready",
        "/stats/prometheus",
        "/app-health",
        "/app-healthz/app/readyz",
        "/app-lifecycle",
        "/APP-HEALTH/app/readyz",
        "//app-health/app/readyz",
        "/x/app-health/app/readyz",
        "/%61pp-health/app/readyz",
        "/x/../app-health/app/readyz",
        "/?/app-health/app/readyz",
    ] {
        let requests = [
            get(path),
            get(path).with(":method", "POST").with_body(),
            get(path).header("x-envoy-original-dst-host", "1.2.3.4:5"),
        ];
        for request in requests {
            let sent = request.headers.clone();
            let mut host = host(HTTP);
            let id = host.request(request);
            let stream = host.stream(id);
            assert_eq!(stream.phase, StreamPhase::Routed, "{path}");
            assert_eq!(stream.request, sent, "{path}");
            assert!(stream.filter_state.is_empty() && stream.set_properties.is_empty(), "{path}");
        }
    }
}

#[test]
fn the_answer_to_a_path_that_is_passed_on_is_left_alone() {
    let mut host = host(HTTP);
    let id = host.request(get("/stats/prometheus"));
    let headers =
        crate::host::headers::Headers::of([(":status", "302"), ("location", "/x"), ("a", "b")]);
    host.respond(id, headers.clone(), false);
    host.respond_body(id, b"some ", false);
    host.respond_body(id, b"text", true);
    let answer = host.stream(id).response().expect("a response");
    assert_eq!((&answer.headers, answer.text()), (&headers, "some text".to_owned()));
}

/// An app's own 405 says nothing about the methods that a probe may have.
#[test]
fn an_apps_own_405() {
    let probe = probe(HTTP, |_| App::answers(405));
    assert_status("", &probe, 405);
    assert_eq!(probe.response().expect("an answer").headers.get("allow"), None);
}

#[test]
fn methods() {
    for path in [READYZ, PRESTOPZ] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH", "get", "X"]
        {
            let probe = host(HTTP).run(get(path).with(":method", method), unasked);
            assert_failure(method, &probe, 405, "GET");
            let answer = probe.response().expect("an answer");
            assert_eq!(answer.headers.get("allow").as_deref(), Some("GET, HEAD"));
        }
        let head = host(HTTP).run(get(path).with(":method", "HEAD"), |sent| {
            assert_eq!(sent.headers.get(":method").as_deref(), Some("GET"));
            App::answers(418)
        });
        assert_status("HEAD runs the same check", &head, 418);
    }
}

#[test]
fn a_request_with_a_body() {
    for path in [READYZ, PRESTOPZ] {
        let probe = host(HTTP).run(get(path).with_body(), unasked);
        assert_failure(path, &probe, 400, "body");
    }
}

/// Such an entry would probe the listener.
#[test]
fn an_entry_whose_port_is_the_status_port() {
    for entry in [
        r#"{"httpGet":{"port":15020}}"#,
        r#"{"httpGet":{"port":15020,"scheme":"HTTPS"}}"#,
        r#"{"tcpSocket":{"port":15020}}"#,
        r#"{"grpc":{"port":15020,"service":null}}"#,
    ] {
        let probe = host(entry).run(get(READYZ), unasked);
        assert_failure(entry, &probe, 500, "status port");
        let hook = host(entry).run(get(PRESTOPZ), unasked);
        assert_failure(entry, &hook, 500, "status port");
    }
    let moved = |entry: &str| {
        Host::builder()
            .env("ISTIO_KUBE_APP_PROBERS", variable(entry))
            .plugin_config(r#"{"status_port":15021}"#)
            .build()
    };
    let probe = moved(r#"{"tcpSocket":{"port":15021}}"#).run(get(READYZ), unasked);
    assert_failure("the configured one", &probe, 500, "status port");
}
