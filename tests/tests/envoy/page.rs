use std::time::Duration;

use app_health_tests::app::{Http, Request, Script, V4};
use app_health_tests::entries::{Entries, http, probe};
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::kubelet::{Get, send_bytes};
use serde_json::Value;

use super::expected::Expected::App;
use super::expected::{check, envoy};

const PAGE: &str = "/app-health/";

fn page(envoy: &Envoy) -> Get {
    envoy.get(PAGE).whole_body()
}

fn json(envoy: &Envoy) -> Value {
    let answer = page(envoy).header("Accept", "application/json").send().expect("an answer");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    serde_json::from_str(&answer.text()).expect("JSON")
}

#[test]
fn html_and_json() {
    let app = Http::start(V4, |_| Script::status(200));
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), "/")));
    let html = page(&envoy).send().expect("an answer");
    assert_eq!((html.status, html.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(
        html.header("content-security-policy").is_some_and(|p| p.contains("default-src 'none'"))
    );
    assert!(html.text().ends_with("</html>"));
    let json = json(&envoy);
    assert_eq!(
        (&json["address"], &json["probes"][0]["path"]),
        (&"127.0.0.1".into(), &probe("c").into())
    );
    assert_eq!(app.seen(), []);
}

#[test]
fn methods() {
    let envoy = Setup::default().start();
    for (method, status, body) in
        [("HEAD", 200, false), ("POST", 405, true), ("OPTIONS", 405, true)]
    {
        let request = format!("{method} {PAGE}?x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = send_bytes(envoy.addr(), request.as_bytes(), Duration::from_secs(5));
        let answer = String::from_utf8(answer.expect("an answer")).expect("text");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method}: {answer}");
        assert_eq!(!answer.ends_with("\r\n\r\n"), body, "{method}: {answer}");
    }
}

/// The route of the page comes after those of probes.
#[test]
fn an_app_may_have_the_same_path() {
    let answer = |request: &Request| Script::status(if request.target == PAGE { 201 } else { 500 });
    let app = Http::start(V4, answer);
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), PAGE)));
    check([(PAGE, envoy.get(probe("c")), App(201))]);
}

#[test]
fn without_the_filter() {
    const FILTER: &str = "          - name: app_health\n            typed_config:\n";
    const ROUTER: &str = "          - name: envoy.filters.http.router\n";
    let without = |shipped: &str| {
        let (before, filter) = shipped.split_once(FILTER).expect("the filter");
        let (_, after) = filter.split_once(ROUTER).expect("the router");
        [before, ROUTER, after].concat()
    };
    let envoy = Setup::default().edited(without).start();
    let answer = page(&envoy).send().expect("an answer");
    assert_eq!((answer.status, &*answer.text()), (503, "the app-health filter does not run"));
}
