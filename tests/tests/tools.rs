//! The prober and the apps, tried on each other: what the other tests rest on.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use app_health_tests::app::{
    Alpn, Changing, Closed, Conduct, Grpc, Health, Http, Https, Late, Open, Request, Script, V4,
    V6, Versions, status,
};
use app_health_tests::health::ServingStatus;
use app_health_tests::kubelet::{self, Get, Verdict};
use app_health_tests::poll::PATIENCE;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_probe_concludes_what_the_kubelet_does() {
    const OK: &str = "HTTP/1.1 200 OK\r\n";
    let chunked = format!("{OK}Transfer-Encoding: chunked\r\n\r\n");
    let long = "x".repeat(10_240);
    for (script, verdict) in [
        (Script::status(200), Verdict::Success),
        (Script::status(299), Verdict::Success),
        (Script::status(302), Verdict::Warning),
        (Script::status(101), Verdict::Failure),
        (Script::status(404), Verdict::Failure),
        (Script::raw("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n"), Verdict::Success),
        (Script::raw(format!("{OK}\r\nto the end")), Verdict::Success),
        (Script::raw(format!("{OK}Content-Length: 3\r\n\r\nab")), Verdict::Failure),
        (Script::raw(format!("{OK}Content-Length: 20000\r\n\r\n{long}")), Verdict::Success),
        (Script::raw(format!("{chunked}2\r\nab\r\n0\r\n\r\n")), Verdict::Success),
        (Script::raw(format!("{chunked}2\r\nab\r\n")), Verdict::Failure),
        (Script::raw(chunked.as_str()).endless("2\r\nab\r\n"), Verdict::Success),
        (Script::raw(OK).endless("A: b\r\n"), Verdict::Failure),
        (Script::raw("SSH-2.0-x\r\n\r\n"), Verdict::Failure),
        (Script::default().hold(), Verdict::Failure),
        (Script::close(), Verdict::Failure),
        (Script::close().reset(), Verdict::Failure),
    ] {
        let played = script.clone();
        let app = Http::start(V4, move |_| played.clone());
        // On a busy machine a success may take longer.
        let limit = if verdict == Verdict::Failure { SECOND } else { PATIENCE };
        let outcome = Get::probe(app.addr(), "/").timeout(limit).send();
        assert_eq!(Verdict::of(&outcome), verdict, "{script:?}: {outcome:?}");
    }
}

#[test]
fn an_app_records_what_it_was_asked() {
    let app = Http::start(V6, |_| Script::status(200));
    let get = Get::probe(app.addr(), "/a?b").header("X-Twice", "1").header("X-Twice", "2");
    get.timeout(PATIENCE).send().unwrap();
    let [Request { method, target, version, .. }] = &app.seen()[..] else { panic!("one request") };
    assert_eq!((&method[..], &target[..], &version[..]), ("GET", "/a?b", "HTTP/1.1"));
    let host = format!("Host: {}", app.addr());
    let lines = [
        &host,
        "User-Agent: kube-probe/1.37",
        "Accept: */*",
        "X-Twice: 1",
        "X-Twice: 2",
        "Connection: close",
    ];
    assert_eq!(app.seen()[0].lines(), lines);
}

#[test]
fn ports_accept_refuse_and_accept_late() {
    let open = Open::start(V4);
    assert!(kubelet::tcp(open.addr(), SECOND).is_ok());
    let addr = open.addr();
    drop(open);
    for refusing in [addr, Closed::start(V4).addr(), Closed::start(V6).addr()] {
        let error = kubelet::tcp(refusing, SECOND).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
    let late = Late::start(V4, Script::status(200));
    assert!(Get::probe(late.addr(), "/").timeout(SECOND / 2).send().is_err());
    let start = Instant::now();
    late.open_in(SECOND);
    assert!(Get::probe(late.addr(), "/").timeout(PATIENCE).send().is_ok());
    assert!(start.elapsed() >= SECOND, "{:?}", start.elapsed());
}

#[test]
fn only_serving_is_a_success() {
    let app = Grpc::start(V4, Health::Silent);
    for (health, outcome) in [
        (Health::Says(ServingStatus::Serving), Ok(())),
        (Health::Says(ServingStatus::NotServing), Err("NOT_SERVING")),
        (Health::Says(ServingStatus::Unknown), Err("UNKNOWN")),
        (Health::Error(5), Err("service unknown")),
        (Health::Error(12), Err("health service not implemented")),
        (Health::Silent, Err("not in time")),
    ] {
        app.set(health);
        let limit = if health == Health::Silent { SECOND } else { PATIENCE };
        let actual = kubelet::grpc(app.addr(), "some.Service", limit);
        assert_eq!(actual, outcome.map_err(str::to_owned), "{health:?}");
    }
    assert_eq!(app.services(), vec!["some.Service"; 6]);
    let closed = Closed::start(V4);
    assert_eq!(kubelet::grpc(closed.addr(), "", SECOND / 4), Err("not in time".into()));
}

#[test]
fn redirects_are_followed_to_the_same_host_and_over_tls() {
    let end = Https::start(V4, Alpn::Http1, Versions::Both, |_| status(204));
    let there = format!("https://{}/end", end.addr());
    let app = Http::start(V4, move |request| match &request.target[..] {
        "/relative" => Script::redirect(302, "there?x"),
        "/there?x" => Script::redirect(307, &there),
        "/loop" => Script::redirect(301, "/loop"),
        "/not-followed" => Script::redirect(304, "/there?x"),
        _ => Script::redirect(308, "http://localhost/"),
    });
    for (target, outcome) in [
        ("/relative", Ok(204)),
        ("/elsewhere", Ok(308)),
        ("/not-followed", Ok(304)),
        ("/loop", Err("stopped after 10 redirects".to_owned())),
    ] {
        assert_eq!(
            Get::probe(app.addr(), target).timeout(PATIENCE).follow().status(),
            outcome,
            "{target}"
        );
    }
    assert_eq!(end.seen()[0].target, "/end");
    assert_eq!(app.seen_at("/loop").len(), 10);
    assert_eq!(Get::probe(app.addr(), "/relative").timeout(PATIENCE).status(), Ok(302));
}

#[test]
fn a_connection_goes_on_as_it_began_until_the_app_is_closed() {
    let mut app = Changing::start(V4);
    let addr = app.addr();
    app.open(Conduct::AtOnce(Script::raw("a").wait(SECOND / 4).then("b")));
    let mut there = accepted(addr);
    app.open(Conduct::Asked(Script::status(503)));
    let mut rest = String::new();
    there.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "b");
    assert_eq!(Get::probe(addr, "/").timeout(PATIENCE).status(), Ok(503));
    app.open(Conduct::AtOnce(Script::raw("a").hold()));
    let mut there = accepted(addr);
    app.close();
    assert_eq!(there.read_to_string(&mut rest).unwrap(), 0);
    assert_eq!(kubelet::tcp(addr, SECOND).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

/// A connection on which the app's first byte has come.
fn accepted(addr: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    stream
}

#[test]
fn a_port_that_resets_what_it_accepts_accepts() {
    let mut app = Changing::start(V4);
    app.open(Conduct::AtOnce(Script::close().reset()));
    let refused = (0..500).filter(|_| kubelet::tcp(app.addr(), PATIENCE).is_err()).count();
    assert_eq!(refused, 0);
}

#[test]
fn raw_bytes_go_out_as_they_are() {
    let app = Http::start(V4, |_| Script::status(204));
    let answer =
        kubelet::send_bytes(app.addr(), b"GET /\xff HTTP/1.1\r\nhOST:  x\r\n\r\n", PATIENCE);
    assert!(answer.unwrap().starts_with(b"HTTP/1.1 204 "));
    assert_eq!(app.seen()[0].lines(), ["hOST: x"]);
    let silent = Http::at_accept(V4, Script::raw("half").hold());
    let error = kubelet::send_bytes(silent.addr(), b"", SECOND / 4).unwrap_err();
    assert_eq!(error.to_string(), r#"still open, after "half""#);
}
