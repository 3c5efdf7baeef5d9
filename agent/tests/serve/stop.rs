//! How it ends.

use std::io::Read;
use std::net::TcpStream;
use std::thread::{Scope, ScopedJoinHandle, scope};
use std::time::{Duration, Instant};

use app_health_tests::app::{Late, Script, V4};
use app_health_tests::kubelet::{Answer, pair, until_closed};
use app_health_tests::poll::until;
use nix::sys::signal::Signal::{self, SIGINT, SIGTERM};

use crate::agent::Agent;

/// Said after five seconds.
const OUT_OF_TIME: &str = "some requests were not done in time";

#[test]
fn at_once_when_nothing_runs() {
    for signal in [SIGTERM, SIGINT] {
        let agent = Agent::start();
        let before = agent.descriptors();
        let mut idle = agent.connect();
        // One that still waits to be accepted would be reset.
        until("accepted", || agent.descriptors() > before);
        agent.signal(signal);
        assert_eq!(idle.read(&mut [0]).expect("closed"), 0);
        assert_eq!(agent.wait(), Some(0));
        assert!(!agent.log().contains(OUT_OF_TIME), "{}", agent.log());
        agent.wait_for_line(&format!("{}: no new connections", signal.as_str()));
    }
}

#[test]
fn running_checks_finish_and_nobody_else_comes_in() {
    let agent = Agent::start();
    let hanging = Late::start(V4, Script::close());
    let before = agent.descriptors();
    let mut idle = agent.connect();
    until("accepted", || agent.descriptors() > before);
    scope(|scope| {
        let check = hang(scope, &agent, &hanging, Some(4000));
        agent.signal(SIGTERM);
        assert_eq!(idle.read(&mut [0]).expect("closed"), 0);
        until("refused", || TcpStream::connect(agent.address()).is_err());
        assert!(!check.is_finished(), "while the check runs");

        let reply = check.join().unwrap();
        let reason = format!("{}: no connection within 4000 ms", hanging.addr());
        assert_eq!(pair(&reply.expect("an answer")), (500, &*reason));
    });
    assert_eq!(agent.wait(), Some(0));
    agent.wait_for_line("SIGTERM: no new connections; requests that are under way are answered");
    agent.wait_for_line("done");
}

#[test]
fn an_endless_check_gets_five_seconds() {
    let (took, agent) = stop_with_an_endless_check(&[SIGTERM]);
    assert!(took > Duration::from_millis(4900), "{took:?}");
    agent.wait_for_line(OUT_OF_TIME);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (_, agent) = stop_with_an_endless_check(&[SIGTERM, SIGINT]);
    agent.wait_for_line("second signal: ending at once");
    assert!(!agent.log().contains(OUT_OF_TIME), "{}", agent.log());
}

fn stop_with_an_endless_check(signals: &[Signal]) -> (Duration, Agent) {
    let agent = Agent::start();
    let hanging = Late::start(V4, Script::close());
    let took = scope(|scope| {
        let check = hang(scope, &agent, &hanging, None);
        let began = Instant::now();
        for signal in signals {
            agent.signal(*signal);
            // Two signals at the same moment could be seen in any order.
            until("seen", || agent.log().contains("no new connections"));
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
    hanging: &Late,
    limit_ms: Option<u64>,
) -> ScopedJoinHandle<'scope, Option<Answer>> {
    let before = agent.descriptors();
    let stream = agent.ask(hanging.addr(), limit_ms);
    until("the check runs", || agent.descriptors() == before + 2);
    scope.spawn(move || until_closed(stream, b"").ok())
}
