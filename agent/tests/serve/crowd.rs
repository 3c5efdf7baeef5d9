//! Many at once.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;

use crate::agent::{Agent, eventually};
use crate::app::{Accepting, Hanging};

/// What the agent has open besides connections and checks.
const OTHERS: usize = 24;

/// Connections that may wait.
const WAITING: usize = 512;

/// Connections in all; those that have been told to go may take a moment.
const OPEN: usize = 1024;

/// Dials that may wait for one port.
const UNDER_WAY: usize = 16;

fn request(port: u16, ms: u64) -> String {
    let head = format!("GET /tcp/127.0.0.1/{port} HTTP/1.1\r\nHost: agent\r\n");
    format!("{head}x-app-health-timeout-ms: {ms}\r\n\r\n")
}

/// Asks for a check on a connection that stays open.
fn ask(agent: &Agent, port: u16, ms: u64) -> TcpStream {
    let mut stream = agent.connect_tcp();
    stream.write_all(request(port, ms).as_bytes()).unwrap();
    stream
}

fn answer(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 1024];
    let length = stream.read(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn a_port_that_hangs_has_16_dials_and_no_more() {
    let agent = Agent::start();
    let (hanging, other) = (Hanging::on("127.0.0.1"), Hanging::on("127.0.0.1"));
    let app = Accepting::on("127.0.0.1").forever();
    let idle = agent.descriptors();
    let port = hanging.port();
    let waiting: Vec<_> = (0..UNDER_WAY).map(|_| ask(&agent, port, 5000)).collect();
    eventually("16 dials", || agent.descriptors() == idle + 2 * UNDER_WAY);

    let refused = agent.check("127.0.0.1", port, Some(5000));
    let text = format!("127.0.0.1:{port}: 16 dials are waiting for this port already");
    assert_eq!((refused.pair(), refused.reason()), ((500, &*text), "agent"));
    assert!(refused.took < Duration::from_secs(1), "at once, not {:?}", refused.took);
    assert_eq!(agent.check("127.0.0.1", app, Some(1000)).pair(), (200, ""));
    assert_eq!(agent.check("127.0.0.1", other.port(), Some(100)).reason(), "timeout");

    // A client that goes away makes room for another.
    drop(waiting);
    eventually("no dial", || agent.descriptors() == idle);
    assert_eq!(agent.check("127.0.0.1", port, Some(100)).reason(), "timeout");
}

/// Of a healthy port none is ever under way when the next begins.
#[test]
fn hundreds_of_checks_of_a_healthy_port_at_once() {
    let agent = Agent::start();
    let app = Accepting::on("127.0.0.1").forever();
    let mut idle: Vec<_> = (0..200).map(|_| ask(&agent, app, 5000)).collect();
    for round in 0..3 {
        for stream in &mut idle {
            let answer = answer(stream);
            assert!(answer.starts_with("HTTP/1.1 200"), "{round}: {answer}");
        }
        // All requests are there when it goes on.
        agent.signal(Signal::SIGSTOP);
        let again = request(app, 5000);
        idle.iter_mut().for_each(|stream| stream.write_all(again.as_bytes()).unwrap());
        agent.signal(Signal::SIGCONT);
    }
}

#[test]
fn a_crowd_at_a_port_that_hangs_costs_healthy_ports_nothing() {
    let agent = Agent::start();
    let hanging = Hanging::on("127.0.0.1");
    let app = Accepting::on("127.0.0.1").forever();
    // More than may be open: they ask, and keep their connection as Envoy does.
    let crowd: Vec<_> = (0..OPEN + 76).map(|_| ask(&agent, hanging.port(), 3000)).collect();
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        let reply = agent.check("127.0.0.1", app, Some(950));
        assert_eq!(reply.pair(), (200, ""));
        assert!(reply.took < Duration::from_secs(1), "{:?}", reply.took);
    }
    drop(crowd);
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
    agent.wait_for_line("warning: at most 20 checks at once: RLIMIT_NOFILE is 64");
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
        12,
        &format!(
            "GET /tcp/127.0.0.1/{} HTTP/1.1\r\nx-app-health-timeout-ms: 2000\r\n\r\n",
            hanging.port()
        ),
    );
    eventually("12 dials", || agent.descriptors() >= idle + 24);
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
