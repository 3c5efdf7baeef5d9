//! `app-health-agent`: TCP checks beside the filter, and the offline rewrite of manifests.

mod cli;
mod exit;
mod serve;

use std::process::ExitCode;

use cli::Command;
use exit::Failure;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()).and_then(|cli| run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { exit: 0, message }) => {
            print!("{message}");
            ExitCode::SUCCESS
        }
        Err(Failure { exit, message }) => {
            eprintln!("app-health-agent: {message}");
            ExitCode::from(exit)
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(&args.listen),
        Command::Rewrite(_) | Command::Restore(_) => Ok(()),
    }
}
