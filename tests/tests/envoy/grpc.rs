use std::time::Instant;

use app_health_tests::app::{Changing, Closed, Conduct, Grpc, Health, Http, Script, V4};
use app_health_tests::entries::{Entries, grpc, probe, within};
use app_health_tests::health::ServingStatus::{NotServing, Serving, Unknown};

use super::SECOND;
use super::expected::Expected::{App, Reason};
use super::expected::{check, envoy};

#[test]
fn only_serving_is_a_success() {
    let app = Grpc::start(V4, Health::Silent);
    let prober = grpc(app.addr(), Some("some.Service"));
    let entries = Entries::default().probe("brief", within(1, prober.clone()));
    let envoy = envoy(entries.probe("patient", prober));
    for (health, want) in [
        (Health::Says(Serving), App(200)),
        (Health::Says(NotServing), Reason(500, "NOT_SERVING")),
        (Health::Says(Unknown), Reason(500, "UNKNOWN")),
        (Health::Error(5), Reason(500, "service unknown")),
        (Health::Error(12), Reason(500, "not implemented")),
        (Health::Error(13), Reason(500, "status 13")),
        (Health::Silent, Reason(504, "timeout")),
        // The app knows the deadline, and its own may come first.
        (Health::ResetAtDeadline, Reason(504, "timeout")),
        (Health::ResetAtDeadline, Reason(504, "timeout")),
        (Health::ResetAtDeadline, Reason(504, "timeout")),
        (Health::Says(Serving), App(200)),
    ] {
        app.set(health);
        let name = if matches!(want, Reason(504, _)) { "brief" } else { "patient" };
        check([(health, envoy.get(probe(name)), want)]);
    }
    assert_eq!(app.services(), vec!["some.Service"; 11]);
}

/// As of the kubelet's client. Envoy would take any, and the filter had to hold it.
#[test]
fn an_answer_has_at_most_4_mib() {
    const LIMIT: usize = 4 << 20;
    let app = Grpc::start(V4, Health::Silent);
    let envoy = envoy(Entries::default().probe("c", grpc(app.addr(), None)));
    for (size, want) in [
        (LIMIT - 100, App(200)),
        (LIMIT + 100, Reason(500, "more than 4 MiB")),
        (20 * LIMIT, Reason(500, "more than 4 MiB")),
    ] {
        app.set(Health::Long(size));
        check([(size, envoy.get(probe("c")), want)]);
    }
}

#[test]
fn the_app_sees_a_call_as_the_kubelet_makes_it() {
    let app = Grpc::start(V4, Health::Says(Serving));
    let entries = Entries::default().probe("none", grpc(app.addr(), None));
    let envoy = envoy(entries.probe("empty", grpc(app.addr(), Some(""))));
    check(["none", "empty"].map(|name| (name, envoy.get(probe(name)), App(200))));
    assert_eq!(app.services(), ["", ""]);
    for request in app.seen() {
        let header = |name| request.header(name).unwrap_or_default();
        assert_eq!(header("host"), app.addr().to_string());
        assert_eq!(header("user-agent"), "kube-probe/1.37");
        assert_eq!(header("content-type"), "application/grpc");
        assert_eq!(request.peer.ip().to_string(), "127.0.0.6");
        let of_envoy = |line: &String| line.starts_with("x-");
        assert!(!request.lines().iter().any(of_envoy), "{:?}", request.lines());
    }
}

#[test]
fn apps_that_speak_no_grpc() {
    let closed = Closed::start(V4);
    let http = Http::start(V4, |_| Script::status(200));
    let at_once = Http::at_accept(V4, Script::status(200));
    let close = Http::at_accept(V4, Script::close());
    let envoy = envoy(
        Entries::default()
            .probe("refused", grpc(closed.addr(), None))
            .probe("http", grpc(http.addr(), None))
            .probe("at-once", grpc(at_once.addr(), None))
            .probe("close", grpc(close.addr(), None)),
    );
    let start = Instant::now();
    check([("refused", envoy.get(probe("refused")), Reason(500, "refused"))]);
    // Dialled again, it would take the probe's ten seconds.
    assert!(start.elapsed() < 5 * SECOND, "{:?}", start.elapsed());
    check(["http", "at-once", "close"].map(|name| (name, envoy.get(probe(name)), Reason(500, ""))));
}

/// As the kubelet's client does, though that waits a second.
#[test]
fn a_connection_that_is_closed_at_once_is_made_anew() {
    let mut app = Changing::start(V4);
    app.open(Conduct::ClosesFirst(Box::new(Conduct::Grpc(Health::Says(Serving)))));
    let envoy = envoy(Entries::default().probe("c", grpc(app.addr(), None)));
    check([("closed at first", envoy.get(probe("c")), App(200))]);
}
