use std::thread;
use std::time::Duration;

use app_health_tests::app::{Http, Request, Script, V4};
use app_health_tests::entries::{Entries, http, probe};
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::kubelet::{Get, send_bytes};
use app_health_tests::poll::until;
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
        let request =
            format!("{method} {PAGE}?x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = send_bytes(envoy.addr(), request.as_bytes(), Duration::from_secs(5));
        let answer = String::from_utf8(answer.expect("an answer")).expect("text");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method}: {answer}");
        assert_eq!(!answer.ends_with("\r\n\r\n"), body, "{method}: {answer}");
    }
}

/// Each worker has seen some of the results, and tells of all.
#[test]
fn whichever_worker_answers() {
    let app = Http::start(V4, |_| Script::status(404));
    let entries = Entries::default().probe("c", http(app.addr(), "/"));
    let envoy = Setup::default().probers(entries.patient()).concurrency(3).start();
    for _ in 0..12 {
        check([("probe", envoy.get(probe("c")), App(404))]);
    }
    // Reported once the client has its answer.
    until("all are counted", || json(&envoy)["probes"][0]["failures"] == 12);
    until("each worker has written its page anew", || {
        let told = (0..12).map(|_| json(&envoy)["probes"][0]["results"].clone());
        told.into_iter().all(|results| results == serde_json::json!({"status": 12}))
    });
    let told = &json(&envoy)["probes"][0];
    assert_eq!(
        [&told["state"], &told["reason"], &told["text"]],
        ["failing", "status", "404 from the app"]
    );
}

/// A variable as long as exec takes, of text that is six times as long in JSON.
#[test]
fn the_longest() {
    const SERVICE: usize = 60_000;
    let service = |c: &str| format!(r#"{{"grpc":{{"port":1,"service":"{}"}}}}"#, c.repeat(SERVICE));
    let variable =
        [("a", "<"), ("b", "&")].map(|(name, c)| format!("\"{}\":{}", probe(name), service(c)));
    let envoy = Setup::default().probers(format!("{{{}}}", variable.join(","))).start();
    let json = json(&envoy);
    for (n, c) in ["<", "&"].into_iter().enumerate() {
        assert!(json["probes"][n]["recorded"]["grpc"]["service"] == c.repeat(SERVICE));
    }
}

/// Whoever asks for the page of 200 probes, and on, keeps no probe from its verdict.
#[test]
fn asked_without_pause() {
    const PAGES: usize = 1_000;
    let app = Http::start(V4, |_| Script::status(200));
    let names: Vec<String> = (0..200).map(|n| format!("c{n}")).collect();
    let entries = names
        .iter()
        .fold(Entries::default(), |entries, name| entries.probe(name, http(app.addr(), "/")));
    let envoy = envoy(entries);
    check(names.iter().map(|name| (&**name, envoy.get(probe(name)), App(200))));
    thread::scope(|scope| {
        let pages = scope.spawn(|| {
            for _ in 0..PAGES {
                assert_eq!(json(&envoy)["probes"].as_array().map(Vec::len), Some(200));
            }
        });
        while !pages.is_finished() {
            check([("beside", envoy.get(probe("c0")), App(200))]);
        }
    });
}

/// The route of the page comes after those of probes.
#[test]
fn an_app_may_have_the_same_path() {
    let answer = |request: &Request| Script::status(if request.target == PAGE { 201 } else { 500 });
    let app = Http::start(V4, answer);
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), PAGE)));
    check([(PAGE, envoy.get(probe("c")), App(201))]);
}

/// The configuration without the filter.
pub fn without(shipped: &str) -> String {
    const FILTER: &str = "          - name: app_health\n            typed_config:\n";
    const ROUTER: &str = "          - name: envoy.filters.http.router\n";
    let (before, filter) = shipped.split_once(FILTER).expect("the filter");
    let (_, after) = filter.split_once(ROUTER).expect("the router");
    [before, ROUTER, after].concat()
}

#[test]
fn without_the_filter() {
    let envoy = Setup::default().edited(without).start();
    let answer = page(&envoy).send().expect("an answer");
    assert_eq!((answer.status, &*answer.text()), (503, "the app-health filter does not run"));
}
