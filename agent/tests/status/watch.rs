//! `--watch`.

use std::sync::atomic::{AtomicUsize, Ordering};

use app_health_tests::app::{Closed, Http, Script, V4};
use app_health_tests::poll::until;
use app_health_tests::process::Process;
use nix::sys::signal::Signal;

use crate::{answer, command, failing, page, passing};

/// Gives these answers, one after the other; the last one again and again.
fn in_turn(answers: Vec<Script>) -> Http {
    let next = AtomicUsize::new(0);
    Http::start(V4, move |_| {
        let next = next.fetch_add(1, Ordering::Relaxed);
        answers[next.min(answers.len() - 1)].clone()
    })
}

#[test]
fn it_asks_again_and_again_also_where_there_is_no_page() {
    let ok = || answer(200, &page(&[passing()]).to_string());
    let fails = || answer(200, &page(&[failing()]).to_string());
    let server = in_turn(vec![ok(), answer(503, "gone"), fails()]);
    let process = Process::start("status", &mut command(server.addr(), "--watch"));
    process.line("all pass");
    process.line("503: gone");
    process.line("failing: 1");
    process.signal(Signal::SIGINT);
    assert_eq!(process.wait(), Some(1));
    assert!(!process.log().contains('\u{1b}'), "no terminal, nothing to clear");
}

#[test]
fn the_exit_code_is_that_of_the_last_answer() {
    for (answer, says, exit) in [
        (answer(200, &page(&[passing()]).to_string()), "\"passing\"", 0),
        (answer(404, ""), "404 instead", 2),
    ] {
        let server = in_turn(vec![answer]);
        let mut command = command(server.addr(), "--watch -o json");
        let process = Process::start("status", &mut command);
        process.line(says);
        process.signal(Signal::SIGTERM);
        assert_eq!(process.wait(), Some(exit));
    }
}

#[test]
fn a_signal_ends_it_while_it_waits_for_an_answer() {
    let server = Http::start(V4, |_| Script::default().hold());
    let process = Process::start("status", &mut command(server.addr(), "--watch"));
    until("it asks", || !server.seen().is_empty());
    process.signal(Signal::SIGTERM);
    assert_eq!(process.wait(), Some(2));
    let port = Closed::start(V4);
    let process = Process::start("status", &mut command(port.addr(), "--watch"));
    process.line("Connection refused");
    process.signal(Signal::SIGINT);
    assert_eq!(process.wait(), Some(2));
}
