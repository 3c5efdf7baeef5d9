//! How it ends.

use std::io::Read;
use std::net::TcpStream;
use std::thread::{Scope, ScopedJoinHandle, scope};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::{self, SIGINT, SIGTERM};

use crate::agent::{Agent, Reply, eventually};
use crate::app::Hanging;

#[test]
fn at_once_when_nothing_runs() {
    for signal in [SIGTERM, SIGINT] {
        let mut agent = Agent::start();
        let before = agent.descriptors();
        let mut idle = agent.connect();
        // One that still waits to be accepted would be reset.
        eventually("accepted", || agent.descriptors() > before);
        let began = Instant::now();
        agent.signal(signal);
        assert_eq!(idle.read(&mut [0]).expect("closed"), 0);
        assert_eq!(agent.wait(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        agent.wait_for_line(&format!("{}: no new connections", signal.as_str()));
    }
}

#[test]
fn running_checks_finish_and_nobody_else_comes_in() {
    let mut agent = Agent::start();
    let hanging = Hanging::on("127.0.0.1");
    let before = agent.descriptors();
    let mut idle = agent.connect();
    eventually("accepted", || agent.descriptors() > before);
    scope(|scope| {
        let check = hang(scope, &agent, &hanging, Some(2000));
        let began = Instant::now();
        agent.signal(SIGTERM);
        assert_eq!(idle.read(&mut [0]).expect("closed"), 0);
        eventually("refused", || TcpStream::connect(agent.address()).is_err());
        assert!(began.elapsed() < Duration::from_millis(1500), "while the check runs");

        let reply = check.join().unwrap();
        let reason = format!("127.0.0.1:{}: no connection within 2000 ms", hanging.port());
        assert_eq!(reply.expect("an answer").pair(), (500, &*reason));
    });
    assert_eq!(agent.wait(), Some(0));
    agent.wait_for_line("SIGTERM: no new connections; requests that are under way are answered");
    agent.wait_for_line("done");
}

#[test]
fn an_endless_check_gets_five_seconds() {
    let (took, mut agent) = stop_with_an_endless_check(&[SIGTERM]);
    assert!(took > Duration::from_millis(4900) && took < Duration::from_secs(10), "{took:?}");
    agent.wait_for_line("some requests were not done in time");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (took, mut agent) = stop_with_an_endless_check(&[SIGTERM, SIGINT]);
    assert!(took < Duration::from_secs(2), "{took:?}");
    agent.wait_for_line("second signal: ending at once");
}

fn stop_with_an_endless_check(signals: &[Signal]) -> (Duration, Agent) {
    let mut agent = Agent::start();
    let hanging = Hanging::on("127.0.0.1");
    let took = scope(|scope| {
        let check = hang(scope, &agent, &hanging, None);
        let began = Instant::now();
        for signal in signals {
            agent.signal(*signal);
            // Two signals at the same moment could be seen in any order.
            eventually("seen", || agent.log().contains("no new connections"));
        }
        assert!(check.join().unwrap().is_none(), "cut off");
        began.elapsed()
    });
    assert_eq!(agent.wait(), Some(0));
    (took, agent)
}

/// Starts a check that hangs, and returns once it runs. Its answer, if there is one.
fn hang<'scope>(
    scope: &'scope Scope<'scope, '_>,
    agent: &Agent,
    hanging: &Hanging,
    limit_ms: Option<u64>,
) -> ScopedJoinHandle<'scope, Option<Reply>> {
    let before = agent.descriptors();
    let mut stream = agent.connect();
    let limit = limit_ms.map(|ms| format!("x-app-health-timeout-ms: {ms}\r\n"));
    let request = format!(
        "GET /tcp/127.0.0.1/{} HTTP/1.1\r\nHost: agent\r\n{}\r\n",
        hanging.port(),
        limit.unwrap_or_default()
    );
    stream.write_all(request.as_bytes()).unwrap();
    eventually("the check runs", || agent.descriptors() == before + 2);
    scope.spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        (!text.is_empty()).then(|| Reply::parse(&text, Duration::ZERO))
    })
}
