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

/// Connections in all.
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
    // Almost as many as may be open: they ask, and keep their connection as Envoy does.
    let crowd: Vec<_> = (0..OPEN - 24).map(|_| ask(&agent, hanging.port(), 3000)).collect();
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        let reply = agent.check("127.0.0.1", app, Some(950));
        assert_eq!(reply.pair(), (200, ""));
        assert!(reply.took < Duration::from_secs(1), "{:?}", reply.took);
    }
    drop(crowd);
}

/// Silent ones and slow ones have 5 s; then whoever has waited is served.
#[test]
fn clients_that_send_nothing_or_too_slowly_are_closed() {
    let agent = Agent::start();
    let app = Accepting::on("127.0.0.1").forever();
    let (idle, before) = (agent.descriptors(), agent.resident_kib());
    let mut crowd: Vec<_> = (0..many_descriptors().min(2000))
        .map(|n| {
            let mut stream = agent.connect_tcp();
            let sent = if n % 2 == 0 { "" } else { "GET /tcp/127.0.0.1/80 HTTP/1.1\r\n" };
            stream.write_all(sent.as_bytes()).unwrap();
            stream
        })
        .collect();
    eventually("as many as may be", || agent.descriptors() >= OPEN);
    assert!(agent.descriptors() <= OPEN + OTHERS, "{}", agent.descriptors());
    let more = agent.resident_kib().saturating_sub(before);
    // Half of the memory that the agent's container has.
    assert!(more <= 16_384, "{more} KiB more");
    let mut stream = agent.connect_tcp();
    stream.write_all(request(app, 5000).as_bytes()).unwrap();
    assert!(answer(&mut stream).starts_with("HTTP/1.1 200"));
    for stream in &mut crowd {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.read_to_end(&mut Vec::new()).expect("closed");
    }
    drop(stream);
    eventually("all closed", || agent.descriptors() == idle);
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
    assert!(!agent.log().contains("cannot accept"), "within its means");
}

/// Raises this process's own limit; how many may be used.
fn many_descriptors() -> usize {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let usable = hard.saturating_sub(4096).max(hard / 4);
    usable.min(10_000) as usize
}
