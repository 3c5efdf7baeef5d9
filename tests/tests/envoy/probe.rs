use std::net::SocketAddr;

use app_health_tests::app::{Closed, Grpc, Health, Http, Open, Script, V4};
use app_health_tests::entries::{Entries, grpc, http, http_with, probe, tcp, within};
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::health::ServingStatus::{NotServing, Serving};
use app_health_tests::{process, program};
use serde_json::Value;

/// Whose the fault is, by the container's name, as `app-health-agent probe --all` finds it.
fn faults(envoy: &Envoy) -> Vec<(String, String)> {
    let mut command = process::command(program::agent());
    command.args(["probe", "--all", "-o", "json", "--url"]);
    command.arg(format!("http://{}/app-health/", envoy.addr()));
    let run = process::run(&mut command, "");
    let found: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|error| panic!("{error}: {} {}", run.stdout, run.stderr));
    let probes = found["probes"].as_array().expect("probes").iter();
    let faults = probes.map(|it| {
        let path = it["path"].as_str().expect("a path");
        let container = path.split('/').nth(2).expect("a container");
        (container.to_owned(), it["fault"].as_str().expect("a word").to_owned())
    });
    let faults: Vec<_> = faults.collect();
    assert_eq!(run.exit, i32::from(faults.iter().any(|(_, fault)| fault != "nobody")), "{found}");
    faults
}

/// Each container's name begins with the word that is to be found.
fn check(envoy: &Envoy, number: usize) {
    let faults = faults(envoy);
    assert_eq!(faults.len(), number, "{faults:?}");
    for (container, fault) in faults {
        assert_eq!(container.split('-').next(), Some(&*fault), "{container}");
    }
}

fn web(status: u16) -> Http {
    Http::start(V4, move |_| Script::status(status))
}

#[test]
fn the_app_the_configuration_or_nobody() {
    let (well, ill, closed) = (web(200), web(503), Closed::start(V4));
    let (serving, not) = (Health::Says(Serving), Health::Says(NotServing));
    let (serving, not) = (Grpc::start(V4, serving), Grpc::start(V4, not));
    let late = Http::start(V4, |_| Script::default().hold());
    let entries = Entries::default()
        .probe("nobody-http", http_with(well.addr(), "/", &[("Host", "shop")]))
        .probe("nobody-tcp", tcp(well.addr()))
        .probe("nobody-grpc", grpc(serving.addr(), None))
        .probe("app-http", http(ill.addr(), "/"))
        .probe("app-tcp", tcp(closed.addr()))
        .probe("app-grpc", grpc(not.addr(), None))
        .probe("app-late", within(1, http(late.addr(), "/")))
        .probe("configuration", http(SocketAddr::new(V4, 0), "/"));
    check(&Setup::default().probers(entries.patient()).start(), 8);
    let hosts: Vec<_> = well.seen().iter().map(|request| request.header("host")).collect();
    assert_eq!(hosts, [Some("shop".into()), Some("shop".into())]);
}

#[test]
fn the_agent() {
    let open = Open::start(V4);
    let hangs = Open::start(V4);
    let nonsense = Http::start(V4, |_| Script::status(404));
    for agent in [hangs.addr(), nonsense.addr()] {
        let entries = Entries::default().probe("agent", within(1, tcp(open.addr())));
        let edit = move |config: &str| with_agent(config, agent);
        let envoy = Setup::default().without_agent().probers(entries).edited(edit).start();
        check(&envoy, 1);
    }
}

/// Another agent than the shipped one.
fn with_agent(config: &str, agent: SocketAddr) -> String {
    let (before, cluster) = config.split_once("- name: app_health_agent\n").expect("its cluster");
    let (start, rest) = cluster.split_once("port_value: ").expect("its port");
    let (_, end) = rest.split_once('}').expect("the end of its port");
    format!("{before}- name: app_health_agent\n{start}port_value: {}}}{end}", agent.port())
}

#[test]
fn the_redirection() {
    let (well, open) = (web(200), Open::start(V4));
    let serving = Grpc::start(V4, Health::Says(Serving));
    let entries = Entries::default()
        .probe("redirection-http", http(well.addr(), "/"))
        .probe("redirection-grpc", grpc(serving.addr(), None))
        .probe("nobody", tcp(open.addr()));
    // No address of this machine: Envoy can connect to no app, but the agent can.
    let edit = |config: &str| {
        assert!(config.contains("address: 127.0.0.6, port_value: 0"));
        config.replace("address: 127.0.0.6, port_value: 0", "address: 192.0.2.1, port_value: 0")
    };
    check(&Setup::default().probers(entries.patient()).edited(edit).start(), 3);
    assert_eq!(well.seen_at(&probe("redirection-http")), []);
    assert_eq!(well.seen().len(), 1);
}
