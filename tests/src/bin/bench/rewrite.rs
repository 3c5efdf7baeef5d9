//! Rewriting pods: by the command line tool, and as admission reviews by the library.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use app_health_tests::{process, program};
use app_health_webhook::admission::{ReviewOutcome, Task, admit};
use app_health_webhook::rewrite::Options;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use crate::figure::{Figure, Unit};
use crate::marks;
use crate::pods;
use crate::stats::Spread;
use app_health_tests::usage::{peak_memory, processor_time};

const ROUNDS: usize = 9;
const STREAM: usize = 10_000;
const REVIEWS: usize = 2_000;
const LISTS: [usize; 2] = [1_000, 10_000];

/// What a run of the agent came to.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Its processor time, in seconds.
    time: f64,
    /// The most memory that it had, in MiB.
    memory: f64,
    /// Lines that it wrote.
    lines: usize,
}

struct Round {
    stream: Cost,
    lists: [Cost; 2],
    /// The time of all reviews, in seconds.
    reviews: f64,
}

/// All of it.
pub fn figures() -> Vec<Figure> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: String| {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("the pods are written");
        path
    };
    let stream = file("stream.json", pods::stream(STREAM));
    let lists = LISTS.map(|count| file(&format!("{count}.json"), pods::list(count)));
    let reviews: Vec<String> = (0..REVIEWS).map(pods::review).collect();
    let round = |_| Round {
        stream: rewritten(&stream, STREAM),
        lists: [0, 1].map(|at| rewritten(&lists[at], 1)),
        reviews: admitted(&reviews),
    };
    round(0);
    let rounds: Vec<Round> = (0..ROUNDS).map(round).collect();
    of(&rounds, fs::metadata(&lists[1]).expect("the list").len())
}

fn of(rounds: &[Round], text: u64) -> Vec<Figure> {
    let spread = |of: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(of));
    let text = text as f64 / 1024.0 / 1024.0;
    let longer = (LISTS[1] / LISTS[0]) as f64;
    let list = "a List of 10,000 pods";
    vec![
        Figure::new(
            "pods of 2 KB rewritten in a second of processor time: JSON in, JSON Patch out",
            spread(&|r| STREAM as f64 / r.stream.time),
            Unit::PerSecond,
        )
        .mark(marks::REWRITE),
        Figure::new(
            "the same as AdmissionReview, by the library",
            spread(&|r| REVIEWS as f64 / r.reviews),
            Unit::PerSecond,
        )
        .mark(marks::ADMISSION),
        Figure::new(
            format!("{list} ÷ ten times one of 1,000: processor time"),
            spread(&|r| r.lists[1].time / r.lists[0].time / longer),
            Unit::Ratio,
        )
        .mark(marks::LINEAR),
        Figure::new(
            format!("{list} ÷ ten times one of 1,000: peak memory"),
            spread(&|r| r.lists[1].memory / r.lists[0].memory / longer),
            Unit::Ratio,
        )
        .mark(marks::LINEAR),
        Figure::new(
            format!("{list}: peak memory ÷ its text"),
            spread(&|r| r.lists[1].memory / text),
            Unit::Ratio,
        )
        .mark(marks::LIST_MEMORY),
    ]
}

/// Runs the agent on this file, which makes so many lines.
fn rewritten(file: &Path, lines: usize) -> Cost {
    let before = time_of_children();
    let mut command = process::command(program::static_agent());
    command.args(["rewrite", "-o", "patch", "-f"]).arg(file).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the agent starts");
    let (memory, written) = watched(child.id(), child.stdout.take().expect("it is piped"));
    assert!(child.wait().is_ok_and(|status| status.success()), "{command:?} failed");
    let run = Cost { time: time_of_children() - before, memory, lines: written };
    assert_eq!(run.lines, lines, "{command:?}: lines written");
    run
}

/// The most memory that it has had, in MiB, and the lines that it writes. While somebody still has
/// to read what it writes, it cannot end.
fn watched(id: u32, mut output: impl Read) -> (f64, usize) {
    let (mut memory, mut lines, mut piece) = (0.0, 0, vec![0; 1 << 20]);
    loop {
        memory = peak_memory(id).unwrap_or(memory);
        match output.read(&mut piece).expect("its output can be read") {
            0 => return (memory, lines),
            read => lines += piece[..read].iter().filter(|byte| **byte == b'\n').count(),
        }
    }
}

/// The processor time of all children that have ended, in seconds.
fn time_of_children() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("what children used");
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// The processor time of all these reviews, in seconds.
fn admitted(reviews: &[String]) -> f64 {
    let options = Options::default();
    let own = std::process::id();
    let before = processor_time(own);
    for review in reviews {
        let admission = admit(review.as_bytes(), &Task::Rewrite, &options).expect("a review");
        assert_eq!(admission.outcome, ReviewOutcome::Patched);
    }
    (processor_time(own) - before).as_secs_f64()
}
