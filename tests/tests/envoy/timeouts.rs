use std::thread;
use std::time::{Duration, Instant};

use app_health_tests::app::{Grpc, Health, Http, Late, Request, Script, V4};
use app_health_tests::entries::{Entries, grpc, hook, http, probe, tcp, within};
use app_health_tests::envoy::{LIMIT, Setup};

use super::SECOND;
use super::expected::Expected::{App, Reason};
use super::expected::{check, envoy};

/// How late a busy machine may be; less than the next limit that Envoy would have, 15 s.
const BUSY: Duration = Duration::from_secs(5);

const NOT_DONE: &str = "not done within the probe's timeout";

#[test]
fn an_app_that_accepts_late_is_waited_for() {
    let late = Late::start(V4, Script::status(200));
    let never = Late::start(V4, Script::status(200));
    let envoy = envoy(
        Entries::default()
            .probe("late", within(10, http(late.addr(), "/")))
            .probe("never", within(2, http(never.addr(), "/"))),
    );
    late.open_in(Duration::from_millis(2_500));
    let start = Instant::now();
    check([("late", envoy.get(probe("late")), App(200))]);
    assert!(start.elapsed() > 2 * SECOND, "{:?}", start.elapsed());
    check([("never", envoy.get(probe("never")), Reason(504, NOT_DONE))]);
}

#[test]
fn the_timeout_is_the_probes_own_and_a_second_where_it_has_none() {
    let slow = Http::start(V4, |_| Script::default().wait(3 * SECOND / 2).then(OK));
    let never = Http::start(V4, |_| Script::default().hold());
    let entries = Entries::default()
        .probe("slow-for-1", http(slow.addr(), "/"))
        .probe("slow-for-10", within(10, http(slow.addr(), "/")))
        .probe("never-for-2", within(2, http(never.addr(), "/")));
    let envoy = Setup::default().probers(entries).start();
    for (name, want, least) in [
        ("slow-for-1", Reason(504, NOT_DONE), SECOND),
        ("slow-for-10", App(200), 3 * SECOND / 2),
        ("never-for-2", Reason(504, NOT_DONE), 2 * SECOND),
    ] {
        let start = Instant::now();
        check([(name, envoy.get(probe(name)), want)]);
        // Envoy's timer counts whole milliseconds.
        let took = start.elapsed() + Duration::from_millis(10);
        assert!(took > least && took < least + BUSY, "{name}: {took:?}");
    }
}

/// Envoy limits how long a request may take to come, and counts until the filter lets it pass: that must be no
/// limit for a check that the filter makes by requests of its own.
#[test]
fn a_check_that_is_dispatched_has_its_whole_timeout() {
    const AFTER: Duration = Duration::from_secs(6);
    let slow = Grpc::start(V4, Health::Late(AFTER));
    let hop = Http::start(V4, |request: &Request| match &request.target[..] {
        "/" => Script::redirect(302, "/slow"),
        _ => Script::default().wait(AFTER).then(OK),
    });
    let late = Late::start(V4, Script::close());
    let entries = Entries::default()
        .probe("grpc", within(11, grpc(slow.addr(), None)))
        .probe("hop", within(11, http(hop.addr(), "/")))
        .probe("tcp", within(11, tcp(late.addr())))
        .hook("tcp", tcp(late.addr()));
    let envoy = envoy(entries);
    late.open_in(AFTER);
    thread::scope(|scope| {
        for (name, get) in [
            ("grpc", envoy.get(probe("grpc"))),
            ("hop", envoy.get(probe("hop"))),
            ("tcp", envoy.get(probe("tcp"))),
            ("the hook", envoy.hook(hook("tcp")).timeout(LIMIT)),
        ] {
            scope.spawn(move || check([(name, get, App(200))]));
        }
    });
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
