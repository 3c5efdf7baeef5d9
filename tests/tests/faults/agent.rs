use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use app_health_tests::app::{Http, Open, Script, V4};
use app_health_tests::entries::{probe, tcp, within};
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::net::raise_descriptor_limit;
use app_health_tests::poll::until;
use nix::sys::signal::Signal::{SIGCONT, SIGSTOP};

use super::cost::Cost;
use super::fleet::{Fleet, KINDS, Kind, is_right, name};
use super::{limit, word};

/// A check that lasts a second at most fails, and says that it is the agent. All others succeed.
fn assert_only_tcp_fails(envoy: &Envoy, what: &str) {
    let answer = envoy.get(probe("short")).send().expect("an answer");
    assert_eq!((answer.status, word(&answer)), (500, "agent"), "{what}: {}", answer.text());
    for kind in KINDS.into_iter().filter(|kind| *kind != Kind::Tcp) {
        assert_eq!(envoy.get(probe(&name(kind))).status(), Ok(200), "{what}: {kind:?}");
    }
}

fn assert_right_at_once(envoy: &Envoy, what: &str) {
    let cost = Cost::until_right(|| is_right(envoy));
    assert_eq!(cost.lost, 0, "{what}");
}

#[test]
fn an_agent_that_hangs() {
    let (fleet, open) = (Fleet::well(), Open::start(V4));
    let entries = fleet.entries().probe("short", within(1, tcp(open.addr())));
    let envoy = Setup::default().probers(entries).start();
    assert!(is_right(&envoy));
    envoy.agent().signal(SIGSTOP);
    for _ in 0..2 {
        assert_only_tcp_fails(&envoy, "it hangs");
    }
    envoy.agent().signal(SIGCONT);
    assert_right_at_once(&envoy, "it goes on");
    let active = || envoy.stat("cluster.app_health_agent.upstream_rq_active");
    until("no check is left", || active() == 0);
}

/// Whoever has its port says what no agent says.
#[test]
fn an_agent_that_answers_garbage() {
    let (fleet, open) = (Fleet::well(), Open::start(V4));
    let said = Arc::new(Mutex::new(Script::close()));
    let says = said.clone();
    let agent = Http::start(V4, move |_| says.lock().expect("no panic").clone());
    let say = |script: &Script| script.clone_into(&mut said.lock().expect("no panic"));
    let port = agent.addr().port();
    let edit = move |config: &str| with_agent(config, port);
    let entries = fleet.entries().probe("short", within(1, tcp(open.addr())));
    let envoy = Setup::default().probers(entries).without_agent().edited(edit).start();
    // On a connection that is kept, the next check might be lost.
    let well = Script::raw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    for garbage in [
        Script::raw("SSH-2.0-agent\r\n\r\n"),
        Script::status(204),
        Script::status(302),
        Script::status(404),
        Script::raw("HTTP/1.1 200 OK\r\nContent-"),
        Script::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").hold(),
        Script::default().hold(),
    ] {
        say(&garbage);
        assert_only_tcp_fails(&envoy, &format!("{garbage:?}"));
        say(&well);
        assert_right_at_once(&envoy, &format!("after {garbage:?}"));
    }
}

/// Another one than the shipped one.
fn with_agent(config: &str, port: u16) -> String {
    let (before, cluster) = config.split_once("- name: app_health_agent\n").expect("its cluster");
    let (start, rest) = cluster.split_once("port_value: ").expect("its port");
    let (_, end) = rest.split_once('}').expect("the end of its address");
    format!("{before}- name: app_health_agent\n{start}port_value: {port}}}{end}")
}

/// It ends, as where its container's limit is reached, says why, and Envoy checks itself.
#[test]
fn an_agent_without_memory() {
    let fleet = Fleet::well();
    let mut envoy = Setup::default().probers(fleet.entries()).start();
    assert!(is_right(&envoy));
    // No more than it has.
    limit(envoy.agent(), "as=4096:");
    raise_descriptor_limit();
    let crowd = [(); 1000].map(|()| TcpStream::connect(envoy.agent_addr()));
    assert_eq!(envoy.agent().wait(), None);
    envoy.agent().line("memory allocation of ");
    assert_right_at_once(&envoy, "it has ended");
    drop(crowd);
    envoy.stop_agent();
    envoy.start_agent();
    assert_right_at_once(&envoy, "it is back");
}
