use std::net::TcpStream;

use app_health_tests::app::{Grpc, Health, Http, Open, Script, V4};
use app_health_tests::entries::{Entries, grpc, http, probe, tcp};
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::health::ServingStatus::Serving;
use app_health_tests::poll::until;

use super::expected::Expected::App;
use super::expected::check;

/// An app of each kind that is well, and what is recorded for it.
struct Apps {
    http: Http,
    tcp: Open,
    grpc: Grpc,
}

const KINDS: [&str; 3] = ["http", "tcp", "grpc"];

impl Apps {
    fn start() -> Self {
        Self {
            http: Http::start(V4, |_| Script::status(200)),
            tcp: Open::start(V4),
            grpc: Grpc::start(V4, Health::Says(Serving)),
        }
    }

    fn entries(&self) -> Entries {
        Entries::default()
            .probe("http", http(self.http.addr(), "/"))
            .probe("tcp", tcp(self.tcp.addr()))
            .probe("grpc", grpc(self.grpc.addr(), None))
    }

    /// An Envoy with this overload manager.
    fn envoy(&self, overload_manager: String) -> Envoy {
        let edit =
            move |shipped: &str| format!("{shipped}\noverload_manager: {overload_manager}\n");
        Setup::default().probers(self.entries().patient()).edited(edit).start()
    }
}

fn all_pass(envoy: &Envoy) {
    check(KINDS.map(|kind| (kind, envoy.get(probe(kind)), App(200))));
}

#[test]
fn at_its_limit_of_connections_envoy_still_answers_probes() {
    let monitor = "{name: envoy.resource_monitors.global_downstream_max_connections, typed_config: {\
        '@type': type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig, \
        max_active_downstream_connections: 1}}";
    let apps = Apps::start();
    let envoy = apps.envoy(format!("{{resource_monitors: [{monitor}]}}"));
    let _others = [(); 5].map(|()| TcpStream::connect(envoy.addr()).expect("a connection"));
    all_pass(&envoy);
}

#[test]
fn an_envoy_that_sheds_load_still_answers_probes() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let pressure = dir.path().join("pressure");
    std::fs::write(&pressure, "1").expect("the file is written");
    let monitor = format!(
        "{{name: envoy.resource_monitors.injected_resource, typed_config: {{\
         '@type': type.googleapis.com/envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig, \
         filename: {}}}}}",
        pressure.display()
    );
    let each = |kind: &str, names: &[&str]| {
        let trigger = "{name: envoy.resource_monitors.injected_resource, threshold: {value: 0.9}}";
        let one = |name: &&str| format!("{{name: envoy.{kind}.{name}, triggers: [{trigger}]}}");
        names.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let actions = each(
        "overload_actions",
        &[
            "stop_accepting_connections",
            "reject_incoming_connections",
            "stop_accepting_requests",
            "disable_http_keepalive",
        ],
    );
    let points = each(
        "load_shed_points",
        &[
            "tcp_listener_accept",
            "hcm_ondata_creating_codec",
            "http1_server_abort_dispatch",
            "http_connection_manager_decode_headers",
            "http_downstream_filter_check",
        ],
    );
    let apps = Apps::start();
    let envoy = apps.envoy(format!(
        "{{refresh_interval: 0.1s, resource_monitors: [{monitor}], actions: [{actions}], \
         loadshed_points: [{points}]}}"
    ));
    let active = |name: &str| envoy.stat(&format!("overload.envoy.{name}")) > 0;
    until("it rejects", || active("overload_actions.reject_incoming_connections.active"));
    until("it sheds", || active("load_shed_points.tcp_listener_accept.scale_percent"));
    all_pass(&envoy);
}

/// Below it the kubelet gets in, whoever else is there: `silent` has ten thousand of them.
#[test]
fn the_port_has_a_limit_of_its_own() {
    const IDLE: &str = "            idle_timeout: 2s";
    const KEY: &str = "envoy.resource_limits.listener.app_health.connection_limit: ";
    let apps = Apps::start();
    let edit = |shipped: &str| {
        assert!(shipped.contains(&format!("{KEY}12000\n")));
        // What says nothing is sent away later, so that a busy machine has all of it at once.
        assert_eq!(shipped.matches(IDLE).count(), 1);
        let shipped = shipped.replace(IDLE, &IDLE.replace("2s", "8s"));
        shipped.replace(&format!("{KEY}12000"), &format!("{KEY}50"))
    };
    let envoy = Setup::default().probers(apps.entries().patient()).edited(edit).start();
    let connect = |n: usize| -> Vec<TcpStream> {
        (0..n).map(|_| TcpStream::connect(envoy.addr()).expect("a connection")).collect()
    };
    let active = || envoy.stat("http.app_health.downstream_cx_active");
    let first = connect(49);
    until("49 are there", || active() == 49);
    check([("below", envoy.get(probe("http")), App(200))]);
    let more = connect(1);
    until("50 are there", || active() == 50);
    assert!(envoy.get(probe("http")).status().is_err(), "above");
    // What says nothing goes, and takes nobody's place for long.
    until("a place is free", || envoy.get(probe("http")).status() == Ok(200));
    drop((first, more));
}
