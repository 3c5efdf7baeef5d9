use app_health_tests::app::{Http, Script, V4};
use app_health_tests::entries::{Entries, http, probe};

use super::expected::Expected::{App, Reason};
use super::expected::{check, envoy};

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
