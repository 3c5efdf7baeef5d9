//! `--watch`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use app_health_tests::app::{Closed, Http, Script, V4};
use app_health_tests::poll::until;
use app_health_tests::process::Process;
use nix::pty::openpty;
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

#[test]
fn it_ends_when_nobody_reads() {
    let server = in_turn(vec![answer(200, &page(&[failing()]).to_string())]);
    let mut command = command(server.addr(), "--watch");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("CONTAINER"), "{line}");
    until("it ends", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_terminal_is_cleared_before_each_answer() {
    for (args, cleared) in [("--watch", true), ("--watch -o json", false), ("", false)] {
        let (server, terminal) =
            (in_turn(vec![answer(200, &page(&[]).to_string())]), openpty(None, None).unwrap());
        let mut command = command(server.addr(), args);
        let mut child = command.stdout(terminal.slave).spawn().unwrap();
        let mut shown = [0; 7];
        File::from(terminal.master).read_exact(&mut shown).unwrap();
        assert_eq!(&shown == b"\x1b[H\x1b[2J", cleared, "{args}: {shown:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
