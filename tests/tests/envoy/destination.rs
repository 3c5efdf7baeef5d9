//! Nothing that a client sends chooses where a request goes.

use std::net::SocketAddr;

use app_health_tests::app::{Grpc, Health, Http, Open, Script, V4};
use app_health_tests::entries::{Entries, grpc, hook, http, probe, tcp};
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::health::ServingStatus;
use app_health_tests::kubelet::send_bytes;
use app_health_tests::poll::PATIENCE;

use super::page::without;

/// Requests that name an address in every way that some proxy goes by.
fn requests(elsewhere: SocketAddr) -> Vec<String> {
    let targets = [
        probe("http"),
        probe("tcp"),
        probe("grpc"),
        hook("http"),
        format!("{}?to=http://{elsewhere}/", probe("http")),
        format!("http://{elsewhere}{}", probe("http")),
        format!("/app-health/{elsewhere}/readyz"),
        format!("//{elsewhere}/"),
        format!("http://{elsewhere}/"),
        "/app-health/".to_owned(),
        "/healthz/ready".to_owned(),
        "/stats/prometheus".to_owned(),
        "/".to_owned(),
    ];
    let names = [
        "X-Envoy-Original-Dst-Host",
        "X-Envoy-Original-Host",
        "X-Envoy-Original-Path",
        "X-Forwarded-Host",
        "X-Forwarded-For",
        "X-Original-Host",
        "X-Original-Url",
        "X-Rewrite-Url",
        "X-Host",
        "Destination",
        "Location",
        "Referer",
    ];
    let headers: String = names.map(|name| format!("{name}: {elsewhere}\r\n")).concat();
    let forwarded = format!("Forwarded: for={elsewhere};host={elsewhere};by={elsewhere}\r\n");
    let types = ["", "Content-Type: application/grpc\r\n", "Connection: Upgrade\r\nUpgrade: x\r\n"];
    let mut all = vec![format!("CONNECT {elsewhere} HTTP/1.1\r\nHost: {elsewhere}\r\n\r\n")];
    for target in &targets {
        for kind in types {
            all.push(format!(
                "GET {target} HTTP/1.1\r\nHost: {elsewhere}\r\n{headers}{forwarded}{kind}\r\n"
            ));
        }
    }
    all
}

fn leads_nowhere(setup: Setup) {
    let elsewhere = Open::start(V4);
    let app = Http::start(V4, |_| Script::status(200));
    let health = Grpc::start(V4, Health::Says(ServingStatus::Serving));
    let open = Open::start(V4);
    let entries = Entries::default()
        .probe("http", http(app.addr(), "/"))
        .hook("http", http(app.addr(), "/"))
        .probe("tcp", tcp(open.addr()))
        .probe("grpc", grpc(health.addr(), None));
    let envoy: Envoy = setup.probers(entries).start();
    for request in requests(elsewhere.addr()) {
        // Whatever it is answered.
        let _ = send_bytes(envoy.addr(), request.as_bytes(), PATIENCE);
        assert_eq!(elsewhere.peers(), [], "{request}");
    }
}

#[test]
fn with_the_filter() {
    leads_nowhere(Setup::default());
}

#[test]
fn without_an_agent() {
    leads_nowhere(Setup::default().without_agent());
}

/// As far as the routes go. While the VM is down, Envoy answers each request itself.
#[test]
fn without_the_filter() {
    leads_nowhere(Setup::default().edited(without));
}
