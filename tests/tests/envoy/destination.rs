//! Nothing that a client sends chooses where a request goes.

use std::net::{SocketAddr, TcpStream};

use app_health_tests::app::{Grpc, Health, Http, Open, Script, V4};
use app_health_tests::entries::{Entries, grpc, hook, http, probe, tcp};
use app_health_tests::envoy::Setup;
use app_health_tests::health::ServingStatus;
use app_health_tests::kubelet::send_bytes;
use app_health_tests::poll::{PATIENCE, until};

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
        "/metrics".to_owned(),
        "/drain".to_owned(),
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
    for (target, kind) in targets.iter().flat_map(|target| types.map(|kind| (target, kind))) {
        let method = if target == "/drain" { "POST" } else { "GET" };
        all.push(format!(
            "{method} {target} HTTP/1.1\r\nHost: {elsewhere}\r\n{headers}{forwarded}{kind}\r\n"
        ));
    }
    all
}

/// None of them, sent to this status port, leads there.
pub fn leads_nowhere(status_port: SocketAddr, elsewhere: &Open) {
    for request in requests(elsewhere.addr()) {
        // Whatever it is answered.
        let _ = send_bytes(status_port, request.as_bytes(), PATIENCE);
        assert_eq!(elsewhere.peers(), [], "{request}");
    }
}

/// Not even now that all that came before has been accepted, as connections are in their order.
pub fn nobody_came(elsewhere: &Open) {
    let own = TcpStream::connect(elsewhere.addr()).expect("a connection");
    until("it is accepted", || !elsewhere.peers().is_empty());
    assert_eq!(elsewhere.peers(), [own.local_addr().expect("an address")]);
}

/// Where the requests may lead.
pub struct Apps {
    pub http: Http,
    grpc: Grpc,
    tcp: Open,
}

impl Apps {
    pub fn start() -> Self {
        let http = Http::start(V4, |_| Script::status(200));
        let grpc = Grpc::start(V4, Health::Says(ServingStatus::Serving));
        Self { http, grpc, tcp: Open::start(V4) }
    }

    pub fn entries(&self) -> Entries {
        Entries::default()
            .probe("http", http(self.http.addr(), "/"))
            .hook("http", http(self.http.addr(), "/"))
            .probe("tcp", tcp(self.tcp.addr()))
            .probe("grpc", grpc(self.grpc.addr(), None))
    }
}

fn all_lead_nowhere(setup: Setup) {
    let (apps, elsewhere) = (Apps::start(), Open::start(V4));
    let envoy = setup.probers(apps.entries()).start();
    leads_nowhere(envoy.addr(), &elsewhere);
    nobody_came(&elsewhere);
}

#[test]
fn with_the_filter() {
    all_lead_nowhere(Setup::default());
}

#[test]
fn without_an_agent() {
    all_lead_nowhere(Setup::default().without_agent());
}

/// As far as the routes go. While the VM is down, Envoy answers each request itself: `faults::trap`.
#[test]
fn without_the_filter() {
    all_lead_nowhere(Setup::default().edited(without));
}
