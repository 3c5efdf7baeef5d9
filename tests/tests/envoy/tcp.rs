use std::time::Instant;

use app_health_tests::app::{Closed, Late, Open, Script, V4};
use app_health_tests::entries::{Entries, hook, probe, tcp, within};
use app_health_tests::envoy::Setup;

use super::SECOND;
use super::want::Want::{App, Closed as NoAnswer, Reason};
use super::want::{check, envoy};

#[test]
fn a_port_that_accepts_and_one_that_does_not() {
    let (open, closed) = (Open::start(V4), Closed::start(V4));
    let late = Late::start(V4, Script::close());
    let never = Late::start(V4, Script::close());
    let entries = Entries::default()
        .probe("open", tcp(open.addr()))
        .hook("open", tcp(open.addr()))
        .probe("closed", tcp(closed.addr()))
        .hook("closed", tcp(closed.addr()))
        .probe("never", tcp(never.addr()))
        .probe("late", within(5, tcp(late.addr())));
    let envoy = envoy(entries);
    late.open_in(2 * SECOND);
    check([
        ("late", envoy.get(probe("late")), App(200)),
        ("open", envoy.get(probe("open")), App(200)),
        ("open hook", envoy.hook(hook("open")), App(200)),
        ("closed", envoy.get(probe("closed")), Reason(500, "refused")),
        ("closed hook", envoy.hook(hook("closed")), NoAnswer),
    ]);
    let start = Instant::now();
    check([("never", envoy.get(probe("never")), Reason(500, "tcp: "))]);
    assert!(start.elapsed() < SECOND * 6 / 5, "{:?}", start.elapsed());
    drop(open);
    check([("no longer open", envoy.get(probe("open")), Reason(500, "refused"))]);
}

#[test]
fn without_the_agent_the_reason_says_so() {
    let open = Open::start(V4);
    let entries = Entries::default().probe("c", tcp(open.addr())).hook("c", tcp(open.addr()));
    let envoy = Setup::default().probers(entries).without_agent().start();
    check([
        ("probe", envoy.get(probe("c")), Reason(500, "agent")),
        ("hook", envoy.hook(hook("c")), NoAnswer),
    ]);
}

/// Closed from the agent's side, a connection might be in use again at that moment.
#[test]
fn it_is_envoy_that_closes_idle_connections_to_the_agent() {
    let open = Open::start(V4);
    let envoy = envoy(Entries::default().probe("c", tcp(open.addr())));
    check([("open", envoy.get(probe("c")), App(200))]);
    let stat = |name: &str| envoy.stat(&format!("cluster.app_health_agent.upstream_cx_{name}"));
    assert_eq!((stat("total"), stat("active")), (1, 1));
    let start = Instant::now();
    while stat("active") > 0 {
        assert!(start.elapsed() < 60 * SECOND, "it is still open");
        std::thread::sleep(SECOND / 10);
    }
    assert_eq!((stat("destroy_local"), stat("destroy_remote")), (1, 0));
}
