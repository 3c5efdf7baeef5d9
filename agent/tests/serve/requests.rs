//! What clients may send.

use std::io::{Read, Write};

use app_health_tests::app::{Closed, Open, V4};
use app_health_tests::kubelet::pair;
use app_health_tests::poll::until;

use crate::agent::{Agent, PATIENT, next_answer, reason, request};

#[test]
fn what_is_no_check() {
    let agent = Agent::start();
    for (path, status, text) in [
        ("/", 404, "only /tcp/<ip>/<port> is served here"),
        ("/tcp", 404, "only /tcp/<ip>/<port> is served here"),
        ("/healthz", 404, "only /tcp/<ip>/<port> is served here"),
        ("/tcp/127.0.0.1/0", 400, "no port from 1 to 65535 in /tcp/<ip>/<port>"),
        ("/tcp/127.0.0.1/70000", 400, "no port from 1 to 65535 in /tcp/<ip>/<port>"),
        ("/tcp/localhost/80", 400, "no IP address in /tcp/<ip>/<port>"),
        ("/tcp/0177.0.0.1/80", 400, "no IP address in /tcp/<ip>/<port>"),
        ("/tcp/127.1/80", 400, "no IP address in /tcp/<ip>/<port>"),
        ("/tcp/2130706433/80", 400, "no IP address in /tcp/<ip>/<port>"),
        ("/tcp/0x7f000001/80", 400, "no IP address in /tcp/<ip>/<port>"),
        ("/tcp/[::1]/80", 400, "no IP address in /tcp/<ip>/<port>"),
        ("/tcp/fe80::1%25lo/80", 400, "no IP address in /tcp/<ip>/<port>"),
        ("/tcp/fe80::1%lo/80", 400, "no IP address in /tcp/<ip>/<port>"),
        ("/tcp/::ffff:0.0.0.0/80", 400, "0.0.0.0: no address of this pod"),
        ("/tcp/::ffff:198.51.100.1/80", 400, "198.51.100.1: no address of this pod"),
        ("/tcp/127.0.0.1%2f/80", 400, "no IP address in /tcp/<ip>/<port>"),
    ] {
        let answer = agent.get(path);
        assert_eq!((pair(&answer), reason(&answer)), ((status, text), "config"), "{path}");
    }
}

#[test]
fn the_time_is_a_positive_number_of_milliseconds() {
    let agent = Agent::start();
    for given in ["0", "-1", "1s", "", "99999999999999999999"] {
        let answer = agent.send(&format!(
            "GET /tcp/127.0.0.1/80 HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\
             x-app-health-timeout-ms: {given}\r\n\r\n"
        ));
        let text =
            format!("x-app-health-timeout-ms: {given} is no positive number of milliseconds");
        assert_eq!(pair(&answer), (400, &*text));
    }
    let app = Open::start(V4);
    assert_eq!(agent.check(app.addr(), Some(u64::MAX)).status, 200);
}

#[test]
fn get_and_head_and_nothing_else() {
    let agent = Agent::start();
    let (app, closed) = (Open::start(V4), Closed::start(V4));
    for (method, port, status) in [
        ("HEAD", app.addr(), 200),
        ("HEAD", closed.addr(), 500),
        ("POST", app.addr(), 405),
        ("PURGE", app.addr(), 405),
    ] {
        let request = request(port, None, "Connection: close\r\n");
        let answer = agent.send(&request.replacen("GET", method, 1));
        assert_eq!(answer.status, status, "{method}");
        let allow = (status == 405).then_some("GET, HEAD");
        assert_eq!(answer.header("allow"), allow, "{method}");
        assert_eq!(answer.body.is_empty(), method == "HEAD", "{}", answer.text());
    }
}

#[test]
fn one_connection_carries_many_requests() {
    let agent = Agent::start();
    let (app, closed) = (Open::start(V4), Closed::start(V4));
    let mut stream = agent.connect();
    for _ in 0..20 {
        for (port, status) in [(app.addr(), 200), (closed.addr(), 500)] {
            stream.write_all(request(port, None, "").as_bytes()).unwrap();
            let answer = next_answer(&mut stream);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        }
    }
    until("closes, no resets", || app.plain_ends() == 20);
}

#[test]
fn garbage_harms_nobody_else() {
    let agent = Agent::start();
    let app = Open::start(V4);
    let long_path = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(60_000));
    let long_head = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(60_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(500));
    let endless = "a".repeat(1 << 20);
    for (what, bytes) in [
        ("nothing", b"".as_slice()),
        ("an empty line", b"\r\n\r\n"),
        ("no HTTP", b"hello\r\n\r\n"),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("a version of its own", b"GET / HTTP/9.9\r\n\r\n"),
        ("no UTF-8", b"GET /tcp/\xff\xfe/80 HTTP/1.1\r\n\r\n"),
        ("NUL", b"GET /tcp/\0/80 HTTP/1.1\r\n\r\n"),
        ("half a head", b"GET /tcp/127.0.0.1/80 HTTP/1.1\r\nHost"),
        ("CONNECT", b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n\r\n"),
        ("an odd length", b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
        ("two lengths", b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        ("a body that never comes", b"GET / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"),
        ("bad chunks", b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        ("an upgrade", b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
        ("a long path", long_path.as_bytes()),
        ("a long head", long_head.as_bytes()),
        ("many headers", many.as_bytes()),
        ("a megabyte without a line", endless.as_bytes()),
    ] {
        let answer = send_and_hang_up(&agent, bytes);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{what}: {answer:?}");
        assert_eq!(agent.check(app.addr(), Some(PATIENT)).status, 200, "after {what}");
    }
}

/// The agent may close in the middle of it: errors are as good as an end.
fn send_and_hang_up(agent: &Agent, bytes: &[u8]) -> String {
    let mut stream = agent.connect_tcp();
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
