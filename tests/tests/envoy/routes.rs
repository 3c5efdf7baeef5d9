use app_health_tests::app::{Http, Script, V4};
use app_health_tests::entries::{Entries, http, probe};
use app_health_tests::kubelet::send_bytes;
use app_health_tests::poll::PATIENCE;

use super::expected::Expected::{App, Reason};
use super::expected::{check, envoy};
use crate::vocabulary::rows;

#[test]
fn the_status_ports_other_routes_are_served() {
    let app = Http::start(V4, |_| Script::status(200));
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), "/")));
    let ready = envoy.get("/healthz/ready").send().unwrap();
    assert_eq!((ready.status, &ready.text()[..]), (200, "LIVE"));
    let stats = envoy.get("/stats/prometheus").whole_body().send().unwrap();
    assert_eq!(stats.status, 200);
    assert!(stats.text().contains("envoy_server_live"), "{}", stats.text());
    let paths = ["/", "/ready", "/stats", "/quitquitquit", "/healthz/ready/", "/app-health"];
    check(paths.map(|path| (path, envoy.get(path), App(404))));
    assert_eq!(app.seen(), []);
}

#[test]
fn probe_paths_that_are_not_recorded() {
    let app = Http::start(V4, |_| Script::status(200));
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), "/")));
    for path in [
        "/app-lifecycle/",
        "/app-health/c",
        "/app-health/c/livez",
        "/app-health/other/readyz",
        "/app-health/c/readyz/",
        "/app-health/c%2Freadyz",
        "/app-health/%63/readyz",
        "/app-health//c/readyz",
        "/app-health/./c/readyz",
        "/app-health/c/../c/readyz",
        "/app-lifecycle/c/prestopz",
        "/app-lifecycle/c/readyz",
    ] {
        check([(path, envoy.get(path), Reason(400, path))]);
    }
    check([("query", envoy.get(probe("c") + "?x=/app-health/"), App(200))]);
}

/// The table of docs/configuration.md. (503 is Envoy's own while the filter does not run: `page::without_the_filter`.)
#[test]
fn the_other_statuses_are_those_that_are_told() {
    let app = Http::start(V4, |_| Script::status(200));
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), "/")));
    let recorded = probe("c");
    let mut statuses = Vec::new();
    for (method, path, host, body) in [
        ("GET", "/app-health/other/readyz", "localhost", ""),
        ("GET", &*recorded, "localhost", "a"),
        ("GET", "/app-health/", "page.test", ""),
        ("GET", "/other", "localhost", ""),
        ("POST", &*recorded, "localhost", ""),
        ("POST", "/app-health/", "localhost", ""),
    ] {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let answer = send_bytes(envoy.addr(), request.as_bytes(), PATIENCE).expect("an answer");
        let head = String::from_utf8(answer).expect("text");
        statuses.push(head.split(' ').nth(1).expect("a status").to_owned());
    }
    statuses.push("503".to_owned());
    statuses.dedup();
    let rows = rows("Answers of port 15020");
    assert_eq!(
        rows.iter().map(|row| &row[0]).collect::<Vec<_>>(),
        statuses.iter().collect::<Vec<_>>()
    );
}
