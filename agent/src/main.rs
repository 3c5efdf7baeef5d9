//! The native agent: TCP checks beside the filter.

mod cli;
#[allow(dead_code, reason = "the offline commands use the rest")]
mod exit;
mod serve;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli::Command::Serve { listen } = cli::Cli::parse().command;
    match serve::run(&listen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("app-health-agent: {}", failure.message);
            ExitCode::from(failure.exit)
        }
    }
}
