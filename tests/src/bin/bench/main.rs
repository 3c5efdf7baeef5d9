//! What app-health costs, measured: `scripts/bench` starts it.

mod agent;
mod args;
mod bootstrap;
mod counted;
mod environment;
mod figure;
mod guards;
mod instructions;
mod load;
mod marks;
mod nginx;
mod pods;
mod probe;
mod report;
mod rewrite;
mod sidecar;
mod start;
mod stats;
mod webhook;
mod wrk;

use std::cell::OnceCell;
use std::process::{self, ExitCode};
use std::thread;
use std::time::Duration;

use app_health_tests::program::arguments;
use app_health_tests::{net, program, wasm};

use args::{Args, Output, Part, Task};
use environment::Environment;
use figure::Figure;
use guards::Mode;
use start::Starts;

/// As the agent's.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

const OUT_OF_TIME: i32 = 75;
const TIME: Duration = Duration::from_secs(600);

fn main() -> ExitCode {
    let args: Args = arguments();
    if let Some(Task::Guards { accept }) = args.task {
        let is_well = guards::run(if accept { Mode::Accept } else { Mode::Check });
        return if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    measure(&args.parts(), args.output);
    ExitCode::SUCCESS
}

fn measure(parts: &[Part], output: Output) {
    net::raise_descriptor_limit();
    eprintln!("scripts/bench: building");
    for file in [wasm::filter(), wasm::empty(), program::static_agent()] {
        assert!(file.is_file(), "{} is not there", file.display());
    }
    thread::spawn(end_in_time);
    let environment = Environment::look();
    let starts = OnceCell::new();
    let figures = parts.iter().map(|part| (*part, figures(*part, &starts))).collect();
    match output {
        Output::Table => print!("{}", report::table(&environment, &figures)),
        Output::Json => print!("{}", report::json(&environment, &figures)),
    }
}

/// Whatever the machine does besides. Programs that were started end as well.
fn end_in_time() {
    thread::sleep(TIME);
    eprintln!("scripts/bench: not done within {TIME:?}: is this machine busy? Measure one part");
    process::exit(OUT_OF_TIME);
}

/// Memory and time are of the same starts.
fn figures(part: Part, starts: &OnceCell<Starts>) -> Vec<Figure> {
    eprintln!("scripts/bench: {}", part.name());
    match part {
        Part::Probe => probe::figures(),
        Part::Memory => starts.get_or_init(Starts::measure).memory(),
        Part::Start => starts.get_or_init(Starts::measure).time(),
        Part::Agent => agent::figures(),
        Part::Rewrite => rewrite::figures(),
        Part::Webhook => webhook::figures(),
    }
}
