//! Many at once.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use app_health_tests::app::{Late, Open, Script, V4};
use app_health_tests::kubelet::pair;
use app_health_tests::net::raise_descriptor_limit;
use app_health_tests::poll::until;
use nix::sys::signal::Signal;

use crate::agent::{Agent, PATIENT, next_answer, reason, request};

/// What the agent has open besides connections and checks.
const OTHERS: usize = 24;

/// Connections in all.
const OPEN: usize = 1024;

/// Dials that may wait for one port.
const UNDER_WAY: usize = 16;

#[test]
fn a_port_that_hangs_has_16_dials_and_no_more() {
    let agent = Agent::start();
    let (hanging, other) = (Late::start(V4, Script::close()), Late::start(V4, Script::close()));
    let app = Open::start(V4);
    let idle = agent.descriptors();
    let port = hanging.addr();
    let waiting: Vec<_> = (0..UNDER_WAY).map(|_| agent.ask(port, Some(PATIENT))).collect();
    until("16 dials", || agent.descriptors() == idle + 2 * UNDER_WAY);

    let refused = agent.check(port, Some(PATIENT));
    let text = format!("{port}: 16 dials are waiting for this port already");
    assert_eq!((pair(&refused), reason(&refused)), ((500, &*text), "agent"));
    assert_eq!(pair(&agent.check(app.addr(), Some(PATIENT))), (200, ""));
    assert_eq!(reason(&agent.check(other.addr(), Some(100))), "timeout");

    // A client that goes away makes room for another.
    drop(waiting);
    until("no dial", || agent.descriptors() == idle);
    assert_eq!(reason(&agent.check(port, Some(100))), "timeout");
}

/// Of a healthy port none is under way when the next begins, but where the kernel itself is late, as on a machine
/// with far too much to do.
#[test]
fn hundreds_of_checks_of_a_healthy_port_at_once() {
    let agent = Agent::start();
    let app = Open::start(V4);
    let mut idle: Vec<_> = (0..200).map(|_| agent.ask(app.addr(), Some(PATIENT))).collect();
    let (mut passed, mut late) = (0, Vec::new());
    while passed < 3 {
        let answers: Vec<_> = idle.iter_mut().map(next_answer).collect();
        let failed = answers.into_iter().find(|answer| !answer.starts_with("HTTP/1.1 200"));
        passed += usize::from(failed.is_none());
        late.extend(failed);
        assert!(late.len() < 10, "{late:?}");
        // All requests are there when it goes on.
        agent.signal(Signal::SIGSTOP);
        let again = request(app.addr(), Some(PATIENT), "");
        idle.iter_mut().for_each(|stream| stream.write_all(again.as_bytes()).unwrap());
        agent.signal(Signal::SIGCONT);
    }
}

#[test]
fn a_crowd_at_a_port_that_hangs_costs_healthy_ports_nothing() {
    let agent = Agent::start();
    let hanging = Late::start(V4, Script::close());
    let app = Open::start(V4);
    // Almost as many as may be open: they ask, and keep their connection as Envoy does.
    let crowd: Vec<_> = (0..OPEN - 24).map(|_| agent.ask(hanging.addr(), Some(PATIENT))).collect();
    let began = Instant::now();
    for _ in 0..500 {
        assert_eq!(pair(&agent.check(app.addr(), Some(PATIENT))), (200, ""));
    }
    // The crowd waits for a minute, and so would whoever waits for it.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    drop(crowd);
}

/// Silent ones and slow ones have 5 s; then whoever has waited is served.
#[test]
fn clients_that_send_nothing_or_too_slowly_are_closed() {
    let agent = Agent::start();
    let app = Open::start(V4);
    let (idle, before) = (agent.descriptors(), agent.memory());
    let mut crowd: Vec<_> = (0..many_descriptors().min(2000))
        .map(|n| {
            let mut stream = agent.connect_tcp();
            let sent = if n % 2 == 0 { "" } else { "GET /tcp/127.0.0.1/80 HTTP/1.1\r\n" };
            stream.write_all(sent.as_bytes()).unwrap();
            stream
        })
        .collect();
    until("as many as may be", || agent.descriptors() >= OPEN);
    assert!(agent.descriptors() <= OPEN + OTHERS, "{}", agent.descriptors());
    let more = agent.memory() - before;
    // Half of the memory that the agent's container has.
    assert!(more <= 16.0, "{more} MiB more");
    let mut stream = agent.ask(app.addr(), Some(PATIENT));
    assert!(next_answer(&mut stream).starts_with("HTTP/1.1 200"));
    for stream in &mut crowd {
        stream.read_to_end(&mut Vec::new()).expect("closed");
    }
    drop(stream);
    until("all closed", || agent.descriptors() == idle);
}

/// Each check leaves a TIME_WAIT behind; there are some 28,000 ports to come from.
#[test]
fn more_checks_than_there_are_ports() {
    let agent = Agent::start();
    let app = Open::start(V4);
    agent.crowd(app.addr(), 2500);
    until("nothing is left open", || agent.descriptors() < 16);
}

#[test]
fn few_descriptors_are_enough() {
    let agent = Agent::with_descriptors(64);
    agent.wait_for_line("warning: at most 20 checks at once: RLIMIT_NOFILE is 64");
    let app = Open::start(V4);
    let hanging = Late::start(V4, Script::close());
    let idle = agent.descriptors();
    let checks: Vec<_> = (0..12).map(|_| agent.ask(hanging.addr(), Some(PATIENT))).collect();
    until("12 dials", || agent.descriptors() >= idle + 24);
    assert_eq!(pair(&agent.check(app.addr(), Some(PATIENT))), (200, ""));
    drop(checks);
    assert!(!agent.log().contains("cannot accept"), "within its means");
}

/// Raises this process's own limit; how many may be used.
fn many_descriptors() -> usize {
    let hard = raise_descriptor_limit();
    let usable = hard.saturating_sub(4096).max(hard / 4);
    usable.min(10_000) as usize
}
