//! Many at once.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::agent::{Agent, eventually};
use crate::app::{Accepting, Hanging};

/// What the agent has open besides connections and checks.
const OTHERS: usize = 24;

/// Connections that may wait.
const WAITING: usize = 512;

/// Connections in all; those that have been told to go may take a moment.
const OPEN: usize = 1024;

#[test]
fn more_than_256_checks_wait_for_their_turn_within_their_time() {
    let agent = Agent::start();
    let (app, hanging) = (Accepting::on("127.0.0.1"), Hanging::on("127.0.0.1"));
    let (port, full) = (app.port(), hanging.port());
    let idle = agent.descriptors();
    thread::scope(|scope| {
        let running: Vec<_> =
            (0..256).map(|_| scope.spawn(|| agent.check("127.0.0.1", full, Some(2000)))).collect();
        // Each has its connection and its check.
        eventually("256 checks", || agent.descriptors() == idle + 512);
        let patient = scope.spawn(|| agent.check("127.0.0.1", port, Some(5000)));

        let short = agent.check("127.0.0.1", port, Some(300));
        let reason = format!("127.0.0.1:{port}: 256 checks already running for 300 ms");
        assert_eq!(short.pair(), (500, &*reason));
        assert!(short.took < Duration::from_millis(400), "{:?}", short.took);

        assert_eq!(patient.join().unwrap().pair(), (200, ""));
        for check in running {
            let reply = check.join().unwrap();
            let reason = format!("127.0.0.1:{full}: no connection within 2000 ms");
            assert_eq!(reply.pair(), (500, &*reason));
            assert!(reply.took < Duration::from_millis(2200), "{:?}", reply.took);
        }
    });
}

#[test]
fn a_client_that_goes_away_frees_its_turn() {
    let agent = Agent::start();
    let (app, hanging) = (Accepting::on("127.0.0.1"), Hanging::on("127.0.0.1"));
    let idle = agent.descriptors();
    let request = format!("GET /tcp/127.0.0.1/{} HTTP/1.1\r\nHost: a\r\n\r\n", hanging.port());
    let gone: Vec<_> = (0..256)
        .map(|_| {
            let mut stream = agent.connect_tcp();
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    eventually("256 checks", || agent.descriptors() == idle + 512);
    drop(gone);
    eventually("no check", || agent.descriptors() == idle);
    assert_eq!(agent.check("127.0.0.1", app.port(), Some(1000)).status, 200);
}

#[test]
fn ten_thousand_clients_that_send_nothing() {
    let agent = Agent::start();
    let app = Accepting::on("127.0.0.1").forever();
    let (idle, before) = (agent.descriptors(), agent.resident_kib());
    let mut silent = Vec::new();
    for n in 0..many_descriptors().min(10_000) {
        silent.push(agent.connect_tcp());
        assert!(agent.descriptors() <= OPEN + OTHERS, "{}", agent.descriptors());
        if n % 500 == 0 {
            assert_eq!(agent.check("127.0.0.1", app, Some(500)).pair(), (200, ""), "beside {n}");
        }
    }
    eventually("512 wait", || agent.descriptors() <= WAITING + OTHERS);
    let more = agent.resident_kib().saturating_sub(before);
    // Without a bound they would cost more than twice that.
    assert!(more <= 8192, "{more} KiB more");

    // The first to come is the first to go; the last ones have their time.
    assert_eq!(silent[0].read(&mut [0]).expect("closed"), 0);
    let mut last = silent.pop().unwrap();
    let request = format!("GET /tcp/127.0.0.1/{app} HTTP/1.0\r\n\r\n");
    last.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    eventually("the rest are closed after 5 s", || agent.descriptors() == idle);
}

#[test]
fn clients_that_send_a_byte_a_second() {
    let agent = Agent::start();
    let app = Accepting::on("127.0.0.1").forever();
    let (idle, before) = (agent.descriptors(), agent.resident_kib());
    let mut slow: Vec<TcpStream> =
        (0..many_descriptors().min(2000)).map(|_| agent.connect_tcp()).collect();
    let began = Instant::now();
    for byte in "GET /tcp/127.0.0.1/80 HTTP/1.1\r\n".bytes() {
        slow.retain_mut(|stream| stream.write_all(&[byte]).is_ok());
        assert_eq!(agent.check("127.0.0.1", app, Some(500)).pair(), (200, ""));
        assert!(agent.descriptors() <= OPEN + OTHERS, "{}", agent.descriptors());
        let more = agent.resident_kib().saturating_sub(before);
        assert!(more <= 16_384, "{more} KiB more");
        if agent.descriptors() == idle {
            break;
        }
        thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(agent.descriptors(), idle, "all closed");
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}

/// Each check leaves a TIME_WAIT behind; there are some 28,000 ports to come from.
#[test]
fn more_checks_than_there_are_ports() {
    let agent = Agent::start();
    let app = Accepting::on("127.0.0.1").forever();
    let request = format!("GET /tcp/127.0.0.1/{app} HTTP/1.1\r\nHost: agent\r\n\r\n");
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut stream = agent.connect_tcp();
                let mut buffer = [0; 1024];
                for n in 0..2500 {
                    stream.write_all(request.as_bytes()).unwrap();
                    let length = stream.read(&mut buffer).unwrap();
                    let answer = String::from_utf8_lossy(&buffer[..length]);
                    assert!(answer.starts_with("HTTP/1.1 200"), "{n}: {answer}");
                }
            });
        }
    });
    eventually("nothing is left open", || agent.descriptors() < 16);
}

#[test]
fn few_descriptors_are_enough() {
    let mut agent = Agent::with_descriptors(64);
    agent.wait_for_line("warning: at most 8 checks at once: RLIMIT_NOFILE is 64");
    let app = Accepting::on("127.0.0.1").forever();
    let hanging = Hanging::on("127.0.0.1");
    let crowd = |count, request: &str| {
        let connect = |_| {
            let mut stream = agent.connect_tcp();
            stream.write_all(request.as_bytes()).unwrap();
            stream
        };
        (0..count).map(connect).collect::<Vec<_>>()
    };
    let idle = agent.descriptors();
    let silent = crowd(200, "");
    let checks = crowd(
        32,
        &format!(
            "GET /tcp/127.0.0.1/{} HTTP/1.1\r\nx-app-health-timeout-ms: 2000\r\n\r\n",
            hanging.port()
        ),
    );
    eventually("8 checks, 32 connections", || agent.descriptors() == idle + 40);
    assert_eq!(agent.check("127.0.0.1", app, Some(5000)).pair(), (200, ""));
    drop(checks);
    drop(silent);
    assert!(!agent.log().contains("cannot accept"), "within its means");
}

/// Raises this process's own limit; how many may be used.
fn many_descriptors() -> usize {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let usable = hard.saturating_sub(4096).max(hard / 4);
    usable.min(10_000) as usize
}
