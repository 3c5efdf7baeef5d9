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
