use std::time::{Duration, Instant};

use app_health_tests::app::{Http, Late, Script, V4};
use app_health_tests::entries::{Entries, http, probe, within};
use app_health_tests::envoy::Setup;

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

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
