use app_health_tests::app::{Closed, Http, Script, V4};
use app_health_tests::entries::{Entries, http, probe};

use super::expected::Expected::{App, NoAnswer, Reason};
use super::expected::{Scripted, check, envoy};

const OK: &str = "HTTP/1.1 200 OK\r\n";

#[test]
fn the_apps_status_without_its_body() {
    let statuses = [200, 201, 204, 299, 400, 401, 404, 418, 499, 500, 502, 503, 504, 599];
    let plain = statuses.map(|status| (Script::status(status), App(status)));
    let with_body = statuses.map(|status| {
        let body = if status == 204 { "\r\n" } else { "Content-Length: 2\r\n\r\nhi" };
        (Script::raw(format!("HTTP/1.1 {status} X\r\nX-App: 1\r\n{body}")), App(status))
    });
    Scripted::new(&[plain, with_body].concat()).probe();
}

#[test]
fn what_the_kubelet_tolerates() {
    let raw = |text: &str| Script::raw(text.replace('\n', "\r\n"));
    let many = "X-Many: 1\r\n".repeat(5_000);
    Scripted::new(&[
        (raw("HTTP/1.0 200 OK\n\n"), App(200)),
        (raw("HTTP/1.1 200\n\n"), App(200)),
        (raw("HTTP/1.1 200 \n\nto the end"), App(200)),
        (raw("HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Hints\n\nHTTP/1.1 404 No\n\n"), App(404)),
        (Script::raw(*b"HTTP/1.1 200 OK\r\nX-A: \xff\xfe\r\n\r\n"), App(200)),
        (Script::raw(format!("{OK}X-Long: {}\r\n\r\n", "x".repeat(60 << 10))), App(200)),
        (Script::raw(format!("{OK}{many}\r\n")), App(200)),
    ])
    .probe();
}

#[test]
fn ten_kib_of_a_body_decide() {
    let head = format!("{OK}Content-Length: 41943040\r\n\r\n");
    let chunked = format!("{OK}Transfer-Encoding: chunked\r\n\r\n");
    let body = |length: usize| Script::raw(head.as_str()).then("x".repeat(length));
    let broken = Reason(502, "broke off within its first 10240 bytes");
    let stalled = Reason(504, "not complete in time");
    Scripted::new(&[
        (body(41_943_040), App(200)),
        (body(10_240), App(200)),
        (body(10_240).reset(), App(200)),
        (body(10_240).hold(), App(200)),
        (body(10_239), broken),
        (body(10_239).hold(), stalled),
        (body(0), broken),
        (body(0).hold(), stalled),
        (body(0).endless("x".repeat(1024)), App(200)),
        (Script::raw(chunked.as_str()).endless("2\r\nab\r\n".repeat(100)), App(200)),
        (Script::raw(chunked.as_str()).then("2\r\nab\r\n"), broken),
        (Script::raw(format!("{OK}\r\n")).endless("x".repeat(1024)), App(200)),
    ])
    .probe();
}

/// Where Envoy's buffers are too small for a piece of a body, some are answered 500.
#[test]
fn endless_bodies_never_fill_a_buffer() {
    let endless = Script::raw(format!("{OK}\r\n")).endless("y".repeat(4096));
    Scripted::new(&vec![(endless, App(200)); 200]).probe();
}

#[test]
fn apps_that_misbehave_cost_no_more_than_the_timeout() {
    const NO_HTTP: &str = "not a valid HTTP answer";
    const CLOSED: &str = "connection closed before an answer";
    Scripted::new(&[
        (Script::raw("SSH-2.0-OpenSSH_9.9\r\n").hold(), Reason(502, NO_HTTP)),
        (Script::raw(vec![0; 4096]).hold(), Reason(502, NO_HTTP)),
        (Script::raw(format!("{OK}X-A: a\x01b\r\n\r\n")), Reason(502, NO_HTTP)),
        (Script::raw("HTTP/1.1 99 Low\r\n\r\n").hold(), Reason(502, "status 99")),
        (Script::raw("HTTP/1.1 099 Low\r\n\r\n").hold(), Reason(502, "status 99")),
        (Script::raw("HTTP/1.1 1000 High\r\n\r\n").hold(), Reason(502, "status 1000")),
        (Script::status(600), Reason(502, "status 600")),
        (Script::status(999), Reason(502, "status 999")),
        (Script::raw("HTTP/1.1 101 Switching\r\n\r\n").hold(), Reason(502, "")),
        (Script::raw(OK).endless("X-A: b\r\n".repeat(1_000)), Reason(502, NO_HTTP)),
        (Script::raw(format!("{OK}X-A: ")).endless("x".repeat(64 << 10)), Reason(502, NO_HTTP)),
        (Script::close(), Reason(500, CLOSED)),
        (Script::close().reset(), Reason(500, CLOSED)),
        (Script::raw("HTTP/1.1 2"), Reason(502, NO_HTTP)),
        (Script::raw(OK), Reason(502, NO_HTTP)),
        (Script::raw(OK).reset(), NoAnswer),
        (Script::raw(OK).hold(), Reason(504, "within the probe's timeout")),
        (Script::default().hold(), Reason(504, "within the probe's timeout")),
        (Script::raw("HTTP/1.1 100 Continue\r\n\r\n").hold(), Reason(504, "timeout")),
    ])
    .probe();
}

#[test]
fn apps_that_do_not_wait_for_the_request() {
    let close = Http::at_accept(V4, Script::close());
    let reset = Http::at_accept(V4, Script::close().reset());
    let closed = Closed::start(V4);
    let envoy = envoy(
        Entries::default()
            .probe("close", http(close.addr(), "/"))
            .probe("reset", http(reset.addr(), "/"))
            .probe("refused", http(closed.addr(), "/")),
    );
    check(
        [
            ("close", Reason(500, "connection closed before an answer")),
            ("reset", Reason(500, "")),
            ("refused", Reason(500, "connection refused")),
        ]
        .map(|(name, want)| (name, envoy.get(probe(name)), want)),
    );
}
