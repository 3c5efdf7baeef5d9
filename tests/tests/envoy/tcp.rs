use app_health_tests::app::{Closed, Http, Late, Open, Script, V4};
use app_health_tests::entries::{Entries, hook, probe, tcp, within};
use app_health_tests::envoy::{Envoy, Setup, dials, find};

use super::SECOND;
use super::expected::Expected::{App, Closed as NoAnswer, Reason};
use super::expected::check;

#[test]
fn by_the_agent() {
    check_ports(Setup::default());
}

#[test]
fn by_envoy() {
    check_ports(Setup::default().without_agent());
}

fn check_ports(setup: Setup) {
    let (open, closed) = (Open::start(V4), Closed::start(V4));
    let talks = Http::at_accept(V4, Script::raw("x".repeat(8 << 10)).hold());
    let late = Late::start(V4, Script::close());
    let never = Late::start(V4, Script::close());
    let entries = Entries::default()
        .probe("open", tcp(open.addr()))
        .hook("open", tcp(open.addr()))
        .probe("talks", tcp(talks.addr()))
        .probe("closed", tcp(closed.addr()))
        .hook("closed", tcp(closed.addr()))
        .probe("never", within(1, tcp(never.addr())))
        .probe("late", tcp(late.addr()));
    let envoy = setup.probers(entries.patient()).start();
    late.open_in(2 * SECOND);
    check([
        ("late", envoy.get(probe("late")), App(200)),
        ("open", envoy.get(probe("open")), App(200)),
        ("open hook", envoy.hook(hook("open")), App(200)),
        ("talks first", envoy.get(probe("talks")), App(200)),
        ("closed", envoy.get(probe("closed")), Reason(500, "refused")),
        ("closed hook", envoy.hook(hook("closed")), NoAnswer),
    ]);
    let peers = open.peers();
    assert!(peers.iter().all(|peer| peer.ip().to_string() == "127.0.0.6"));
    check([("never", envoy.get(probe("never")), Reason(500, "tcp 127.0.0.1:"))]);
    drop(open);
    check([("no longer open", envoy.get(probe("open")), Reason(500, "refused"))]);
}

#[test]
fn a_check_makes_one_connection() {
    let open = Open::start(V4);
    let entries = Entries::default().probe("c", tcp(open.addr()));
    let envoy = Setup::default().probers(entries.patient()).without_agent().start();
    check((0..5).map(|n| (n, envoy.get(probe("c")), App(200))));
    let made = envoy.stat("cluster.app_tcp.upstream_cx_total");
    assert!((5..=5 * dials(&find()) as u64).contains(&made), "{made}");
}

/// Two lines tell of it, and no verdict changes.
#[test]
fn an_agent_that_goes_and_comes_back() {
    const GONE: &str = "the agent is not reached any more";
    let open = Open::start(V4);
    let entries = Entries::default().probe("c", tcp(open.addr()));
    let mut envoy = Setup::default().probers(entries.patient()).start();
    let passes = |envoy: &Envoy| check((0..3).map(|n| (n, envoy.get(probe("c")), App(200))));
    passes(&envoy);
    envoy.stop_agent();
    passes(&envoy);
    assert_eq!(envoy.log().matches(GONE).count(), 1, "{}", envoy.log());
    envoy.start_agent();
    passes(&envoy);
    assert_eq!(envoy.log().matches("the agent is reached again").count(), 1, "{}", envoy.log());
    assert_eq!(envoy.log().matches(GONE).count(), 1, "{}", envoy.log());
}
