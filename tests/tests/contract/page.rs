//! The status page.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use serde_json::{Value, json};

use super::{HTTP, PRESTOPZ, READYZ, assert_failure, assert_status, get, host, unasked, variable};
use crate::host::app::{App, UpstreamFailure::Refused};
use crate::host::run::Via;
use crate::host::stream::DownstreamResponse;
use crate::host::{DownstreamRequest, Host};
use crate::vocabulary::{rows, words};

const PAGE: &str = "/app-health/";

/// A request by a client on loopback, as far as the filter is told.
fn page() -> DownstreamRequest {
    get(PAGE).property("xds.route_name", "status_page")
}

fn answer(host: &mut Host, request: DownstreamRequest) -> DownstreamResponse {
    host.run(request, unasked).response().expect("an answer").clone()
}

fn json_of(host: &mut Host, request: DownstreamRequest) -> Value {
    let answer = answer(host, request.with("accept", "application/json"));
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(answer.headers.get("content-type").as_deref(), Some("application/json"));
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error} in {answer:?}"))
}

/// The content of the page's only element of this name.
fn element<'a>(html: &'a str, name: &str) -> &'a str {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    assert_eq!((html.matches(&open).count(), html.matches(&close).count()), (1, 1), "{name}");
    let (_, from) = html.split_once(&open).expect("an element");
    from.split_once(&close).expect("its end").0
}

/// Scripts and styles are the page's own, and nothing comes from elsewhere.
#[test]
fn policy() {
    let answer = answer(&mut host(HTTP), page().with("accept", "text/html,*/*;q=0.8"));
    let html = answer.text();
    let hash = |name: &str| {
        let tls = TLS13_AES_128_GCM_SHA256.tls13().expect("of TLS 1.3");
        let hash = tls.common.hash_provider.hash(element(&html, name).as_bytes());
        format!("'sha256-{}'", BASE64_STANDARD.encode(hash))
    };
    let policy = format!(
        "default-src 'none'; connect-src 'self'; style-src {}; script-src {}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("style"),
        hash("script"),
    );
    for (name, value) in [
        (":status", "200"),
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", &policy),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(answer.headers.get(name).as_deref(), Some(value), "{name}");
    }
    for foreign in ["://", "src=", "href=", "style=\"", "onclick"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
}

/// One constant text: nothing of a pod is in it.
#[test]
fn the_html_is_the_same_for_all() {
    let of = |variable: &str| answer(&mut Host::with_probers(variable), page()).text();
    assert_eq!(of("{"), of(&variable(HTTP)));
}

#[test]
fn the_jsons_shape() {
    let http = r#"{"httpGet":{"port":80,"path":"/r","httpHeaders":[{"name":"Host","value":"h"},{"name":"A","value":"b"}]}}"#;
    let no_port = r#"{"tcpSocket":{"port":0}}"#;
    let variable =
        format!(r#"{{"/app-health/web/livez":{no_port},"/app-health/web/readyz":{http}}}"#);
    let mut host =
        Host::builder().env("ISTIO_KUBE_APP_PROBERS", variable).plugin_config(r#"{"x":1}"#).build();
    let probe = |path: &str, probe: &str, check: &str, recorded: Value| {
        json!({
            "path": path, "container": "web", "probe": probe, "check": check, "state": "unknown",
            "state_seconds": null, "reason": null, "text": "", "passes": 0, "failures": 0,
            "results": {}, "timeout_seconds": 1, "recorded": recorded,
        })
    };
    let headers = json!([{"name": "Host", "value": "h"}, {"name": "A"}]);
    let recorded = json!({"httpGet": {"path": "/r", "port": 80, "httpHeaders": headers}});
    let fault = "/app-health/web/livez: tcpSocket.port: 0 is not a port from 1 to 65535";
    let expected = json!({
        "version": 1,
        "filter_version": env!("CARGO_PKG_VERSION"),
        "address": "10.0.0.7",
        "status_port": 15020,
        "errors": [
            "plugin configuration: unknown key x, ignored",
            format!("ISTIO_KUBE_APP_PROBERS: {fault}"),
        ],
        "tcp_checks": {"agent": 0, "envoy": 0},
        "probes": [
            probe("/app-health/web/livez", "liveness", "", Value::Null),
            probe("/app-health/web/readyz", "readiness", "http GET :80/r", recorded),
        ],
    });
    assert_eq!(json_of(&mut host, page()), expected);
    // And that is what docs/configuration.md has.
    let rows = rows("The status page");
    let mut told: Vec<_> = rows.iter().flat_map(|row| words(&row[0])).collect();
    let members =
        |of: &Value| of.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    let mut all = [members(&expected), members(&expected["probes"][0])].concat();
    told.sort_unstable();
    all.sort_unstable();
    assert_eq!(told, all);
}

#[test]
fn the_address_is_that_at_which_the_app_is_asked() {
    let builder = || Host::builder().env("ISTIO_KUBE_APP_PROBERS", variable(HTTP));
    for (pod_ip, to, address) in [
        ("", "10.0.0.7:15020", "10.0.0.7"),
        ("", "127.0.0.1:15020", "127.0.0.1"),
        ("fd00::7", "[::1]:15020", "fd00::7"),
        ("10.0.0.9", "10.0.0.7:15020", "10.0.0.7"),
    ] {
        let mut host = builder().env("POD_IP", pod_ip).build();
        assert_eq!(json_of(&mut host, page().to(to))["address"], address, "{pod_ip} {to}");
    }
}

#[test]
fn a_variable_that_is_not_valid() {
    let fault = |variable: &[u8]| {
        let json = json_of(&mut Host::with_probers(variable), page());
        assert_eq!(json["probes"], json!([]));
        json["errors"][0].as_str().expect("an error").to_owned()
    };
    assert_eq!(fault(b"{"), "ISTIO_KUBE_APP_PROBERS: not JSON: expected a string at byte 1");
    assert_eq!(fault(b"{\"\xff\":1}"), "ISTIO_KUBE_APP_PROBERS: not UTF-8 at byte 2");
    let markup = r#"{"</script>\u0000\u2028\"":{}}"#;
    assert!(fault(markup.as_bytes()).contains("</script>\0\u{2028}\": the key is no probe path"));
}

/// The longest names, the most probes, and text that could be taken for something else.
#[test]
fn two_hundred_probes() {
    let name = |n: usize| format!("{n:03}{}", "x.".repeat(30));
    let text = r#"<script>alert(\"1\")</script>\\\n\u0000\u2028 é\ud83d\ude00"#;
    let entry = |n: usize| {
        let path = format!("/app-health/{}/livez", name(n));
        format!(r#""{path}":{{"grpc":{{"port":1,"service":"{text}"}}}}"#)
    };
    let entries: Vec<String> = (0..200).rev().map(entry).collect();
    let json = json_of(&mut Host::with_probers(format!("{{{}}}", entries.join(","))), page());
    let probes = json["probes"].as_array().expect("probes");
    assert_eq!((probes.len(), &json["errors"]), (200, &json!([])));
    let text = "<script>alert(\"1\")</script>\\\n\0\u{2028} é😀";
    for (n, probe) in probes.iter().enumerate() {
        assert_eq!(probe["container"], name(n));
        assert_eq!(probe["check"], format!("grpc :1 {text}"));
        assert_eq!(probe["recorded"]["grpc"]["service"], text);
    }
}

fn probe_of(json: &Value, path: &str) -> Value {
    let probes = json["probes"].as_array().expect("probes").iter();
    probes.clone().find(|probe| probe["path"] == path).expect("the probe").clone()
}

/// Whichever worker is asked.
#[test]
fn what_the_probes_have_come_to() {
    let mut host = host(HTTP);
    let fail = |host: &mut Host| host.run(get(READYZ), |_| App::Fails(Refused));
    host.run(get(READYZ), |_| App::answers(204));
    host.advance(Duration::from_secs(5));
    fail(&mut host);
    host.advance(Duration::from_millis(12_340));
    fail(&mut host);
    let gone = host.request(get(READYZ));
    host.client_gone(gone);
    host.run(get(PRESTOPZ), |_| App::answers(500));
    let other = Host::builder().env("ISTIO_KUBE_APP_PROBERS", variable(HTTP));
    let mut other = other.beside(&host).build();
    other.state_mut().now = host.state().now;
    for host in [&mut host, &mut other] {
        let json = json_of(host, page());
        let readiness = json!({
            "path": READYZ, "container": "app", "probe": "readiness",
            "check": "http GET :8080/", "state": "failing", "state_seconds": 12.3,
            "reason": "refused", "text": "http 10.0.0.7:8080: connection refused",
            "passes": 1, "failures": 2, "results": {"ok": 1, "refused": 2, "abandoned": 1},
            "timeout_seconds": 1, "recorded": {"httpGet": {"port": 8080}},
        });
        assert_eq!(probe_of(&json, READYZ), readiness);
        let hook = probe_of(&json, PRESTOPZ);
        let hook = [&hook["state"], &hook["reason"], &hook["text"], &hook["passes"]];
        assert_eq!(hook, [&json!("passing"), &json!("ok"), &json!("500 from the app"), &json!(1)]);
    }
}

/// So that a client which asks all the time takes no time from probes.
#[test]
fn what_was_written_is_kept_for_a_quarter_of_a_second() {
    let mut host = host(HTTP);
    let passes = |host: &mut Host, request: DownstreamRequest| {
        probe_of(&json_of(host, request), READYZ)["passes"].as_u64()
    };
    assert_eq!(passes(&mut host, page()), Some(0));
    host.run(get(READYZ), |_| App::answers(200));
    host.advance(Duration::from_millis(249));
    assert_eq!(passes(&mut host, page()), Some(0));
    assert_eq!(json_of(&mut host, page().to("[fd00::7]:15020"))["address"], "fd00::7");
    host.run(get(READYZ), |_| App::answers(200));
    host.advance(Duration::from_millis(250));
    assert_eq!(passes(&mut host, page()), Some(2));
}

/// Envoy keeps each number that it gives for a metric.
#[test]
fn a_page_asks_for_no_metric_twice() {
    let mut host = host(r#"{"tcpSocket":{"port":1}}"#);
    let mut numbers = Vec::new();
    for app in [App::answers(200), App::Fails(Refused), App::answers(200)] {
        host.run(get(READYZ), |_| app.clone());
        host.advance(Duration::from_secs(1));
        json_of(&mut host, page());
        numbers.push(host.state().process.numbers());
    }
    assert_eq!(numbers[1], numbers[2], "{numbers:?}");
}

/// The text as well as the reason, and in whichever worker.
#[test]
fn the_last_failure_is_told() {
    let mut one = host(HTTP);
    let builder = Host::builder().env("ISTIO_KUBE_APP_PROBERS", variable(HTTP));
    let mut two = builder.beside(&one).build();
    for (is_two, app, text) in [
        (false, App::answers(500), "500 from the app"),
        (false, App::answers(503), "503 from the app"),
        (true, App::Fails(Refused), "http 10.0.0.7:8080: connection refused"),
        (false, App::answers(503), "503 from the app"),
        (true, App::Fails(Refused), "http 10.0.0.7:8080: connection refused"),
    ] {
        let host = if is_two { &mut two } else { &mut one };
        host.run(get(READYZ), |_| app.clone());
        for host in [&mut one, &mut two] {
            host.advance(Duration::from_secs(1));
            assert_eq!(probe_of(&json_of(host, page()), READYZ)["text"], text);
        }
    }
}

#[test]
fn who_has_made_the_tcp_checks() {
    let mut host = host(r#"{"tcpSocket":{"port":1}}"#);
    for agent in [App::answers(200), App::answers(200), App::Fails(Refused)] {
        host.run(get(READYZ), |sent| match sent.via {
            Via::Router => App::answers(200),
            _ => agent.clone(),
        });
    }
    assert_eq!(json_of(&mut host, page())["tcp_checks"], json!({"agent": 2, "envoy": 1}));
}

/// Whatever an app says, it is text of one line.
#[test]
fn an_apps_own_words() {
    let mut host = host(r#"{"grpc":{"port":1}}"#);
    let words = b"</script>\"\\\n\0\xff\xe2\x80\xa8 end";
    host.run(get(READYZ), |_| App::grpc_status(2, words));
    let text = probe_of(&json_of(&mut host, page()), READYZ)["text"].clone();
    let text = text.as_str().expect("text");
    assert!(text.contains("</script>\"\\  \u{fffd}\u{2028} end"), "{text:?}");
    assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
}

#[test]
fn methods() {
    let mut host = host(HTTP);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "get", "X"] {
        let refused = answer(&mut host, page().with(":method", method).with_body());
        assert_eq!((refused.status(), refused.text().lines().count()), (405, 1), "{method}");
        assert_eq!(refused.headers.get("allow").as_deref(), Some("GET, HEAD"));
    }
    assert_eq!(answer(&mut host, page().with(":method", "HEAD")).status(), 200);
    assert_eq!(answer(&mut host, page().with("accept", b"\xff")).status(), 200);
    assert_eq!(answer(&mut host, page().with(":path", "/app-health/?x")).status(), 200);
}

/// Where the configuration has no route that keeps others away, there is no page.
#[test]
fn without_its_route() {
    for request in [get(PAGE), get(PAGE).property("xds.route_name", "other")] {
        let probe = host(HTTP).run(request.with("accept", "application/json"), unasked);
        assert_failure(PAGE, &probe, 400, "no probe is recorded");
    }
}

/// Whatever the route's name, a probe is a probe.
#[test]
fn probes_are_no_page() {
    let mut host = host(HTTP);
    for path in [READYZ, "/app-health/app/readyz?/app-health/"] {
        let request = page().with(":path", path).with("accept", "application/json");
        assert_status(path, &host.run(request, |_| App::answers(204)), 204);
    }
}
