use app_health_tests::app::{Http, Script, V4};
use app_health_tests::entries::{Entries, grpc, http, probe, tcp};
use app_health_tests::envoy::Setup;
use app_health_tests::net;

use super::want::Want::{App, Reason};
use super::want::{check, envoy};

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
        "/app-health/",
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

#[test]
fn an_entry_for_the_status_port_itself() {
    let status = net::free_port();
    let own = (V4, status).into();
    let entries = Entries::default()
        .probe("http", http(own, &probe("http")))
        .probe("tcp", tcp(own))
        .probe("grpc", grpc(own, None));
    let envoy = Setup::default().probers(entries).start_on(status);
    let names = ["http", "tcp", "grpc"];
    check(names.map(|name| (name, envoy.get(probe(name)), Reason(500, "status port"))));
}
