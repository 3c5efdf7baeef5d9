//! What app-health costs, measured: `scripts/bench` starts it.

mod agent;
mod args;
mod bootstrap;
mod certificate;
mod environment;
mod figure;
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
mod usage;
mod webhook;
mod wrk;

use std::cell::OnceCell;
use std::env;
use std::process::ExitCode;

use app_health_tests::{net, program, wasm};

use args::{Output, Part, Task};
use environment::Environment;
use figure::Figure;
use start::Starts;

/// As the agent's.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

const USAGE: u8 = 64;

fn main() -> ExitCode {
    match args::parse(env::args().skip(1)) {
        Ok(Task::Measure(parts, output)) => measure(&parts, output),
        Err(problem) => {
            eprintln!("scripts/bench: {problem}");
            return ExitCode::from(USAGE);
        }
    }
    ExitCode::SUCCESS
}

fn measure(parts: &[Part], output: Output) {
    net::raise_descriptor_limit();
    eprintln!("scripts/bench: building");
    for file in [wasm::filter(), wasm::empty(), program::static_agent()] {
        assert!(file.is_file(), "{} is not there", file.display());
    }
    let environment = Environment::look();
    let starts = OnceCell::new();
    let figures = parts.iter().map(|part| (*part, figures(*part, &starts))).collect();
    match output {
        Output::Table => print!("{}", report::table(&environment, &figures)),
        Output::Json => print!("{}", report::json(&environment, &figures)),
    }
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
