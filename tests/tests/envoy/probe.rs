use std::net::SocketAddr;

use app_health_tests::app::{Closed, Grpc, Health, Http, Open, Script, V4};
use app_health_tests::entries::{Entries, grpc, http, http_with, probe, tcp, within};
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::health::ServingStatus::{NotServing, Serving};
use app_health_tests::poll::until;
use app_health_tests::{process, program};
use serde_json::Value;

/// Whose the fault is, by the container's name, as `app-health-agent probe --all` finds it.
fn faults(envoy: &Envoy) -> Vec<(String, String)> {
    let mut command = process::command(program::agent());
    command.args(["probe", "--all", "--local", "-o", "json", "--url"]);
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
    // The app itself, twice, since the two sides differ.
    assert_eq!(well.seen().len(), 2);
}

#[test]
fn two_hundred_probes_with_hostile_texts() {
    const TEXT: &str = "<script>\"';</script>\u{202e}\u{2066}\u{feff}é";
    let well = web(200);
    let serving = Grpc::start(V4, Health::Says(Serving));
    let service = format!("\u{1b}[31m\n{TEXT}");
    let entries = (0..200).fold(Entries::default(), |entries, n| {
        let prober = match n % 4 {
            0 => http(well.addr(), &format!("/{TEXT}")),
            1 => tcp(well.addr()),
            2 => grpc(serving.addr(), Some(&service)),
            _ => http_with(well.addr(), "/", &[("X-A", TEXT)]),
        };
        entries.probe(&format!("{n:03}{}", "a".repeat(60)), prober)
    });
    let envoy = Setup::default().probers(entries.patient()).start();
    let run = |args: &[&str]| {
        let mut command = process::command(program::agent());
        command.args(args).args(["--url", &format!("http://{}/app-health/", envoy.addr())]);
        let run = process::run(&mut command, "");
        let obeyed =
            |c: char| c.is_control() && c != '\n' || "\u{202e}\u{2066}\u{feff}".contains(c);
        assert_eq!(run.stdout.chars().find(|c| obeyed(*c)), None, "{}", run.stdout);
        assert_eq!((run.exit, &*run.stderr), (0, ""), "{}", run.stdout);
        run.stdout
    };
    let found = run(&["probe", "--all", "--local"]);
    assert_eq!(found.matches("at fault: nobody (both pass)").count(), 150, "{found}");
    assert_eq!(found.matches(": left out, for the page hides headers").count(), 50, "{found}");
    let found: Value = serde_json::from_str(&run(&["probe", "--all", "--local", "-o", "json"]))
        .expect("one object");
    assert_eq!(found["probes"].as_array().map(Vec::len), Some(150));
    assert_eq!(serving.services()[0], service);
    // What was written before is kept for a moment.
    until("no status", || {
        run(&["status"]).ends_with("probes: 200, none fails, not asked yet: 50\n")
    });
}
