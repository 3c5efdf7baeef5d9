//! `app-health-agent`: TCP checks beside the filter, the admission webhook, the offline rewrite of
//! manifests, and how the probes of a pod go.
//!
//! | module | what it does |
//! |---|---|
//! | `cli`, `pod_args`, `agent_args`, `mesh_args` | the arguments |
//! | `image`, `names` | what is a reference of an image, or a name |
//! | `exit` | how a command fails |
//! | `input` | files that are read as a whole |
//! | `logger` | lines on stderr |
//! | `net` | what both servers need |
//! | `serve` | the TCP checks beside the filter |
//! | `webhook` | the admission webhook |
//! | `certs` | certificates for it |
//! | `offline` | the commands `rewrite` and `restore` |
//! | `check` | the command `check` |
//! | `status` | the command `status` |
//! | `probe` | the command `probe` |
//! | `completions` | the command `completions` |
//! | `page` | the filter's status page, as it is asked for and read |
//! | `table` | tables on stdout |
//! | `document` | manifests as text, read and written as kubectl understands them |

#![forbid(unsafe_code)]

mod agent_args;
mod certs;
mod check;
mod cli;
mod completions;
mod document;
mod exit;
mod image;
mod input;
mod logger;
mod mesh_args;
mod names;
mod net;
mod offline;
mod page;
mod pod_args;
mod probe;
#[cfg(test)]
mod reference;
mod serve;
mod status;
mod table;
mod webhook;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use cli::Command;
use exit::Failure;

/// What a short text within a manifest says: JSON, or YAML without aliases.
pub use document::value;

/// The program, with its name and its arguments.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match cli::parse(arguments).and_then(|cli| execute(cli.command)) {
        Ok(exit) => ExitCode::from(exit),
        Err(Failure { exit: 0, message }) => {
            // Whoever closed stdout does not want the help.
            let _ = std::io::stdout().write_all(message.as_bytes());
            ExitCode::SUCCESS
        }
        Err(Failure { exit, message }) => {
            let _ = writeln!(std::io::stderr(), "app-health-agent: {message}");
            ExitCode::from(exit)
        }
    }
}

/// What `rewrite` or `restore`, with these arguments but the file's, prints where this is its input.
///
/// # Errors
/// The line on stderr that says why it prints nothing.
pub fn edited(arguments: &[&str], input: &str) -> Result<String, String> {
    let arguments =
        ["app-health-agent"].iter().chain(arguments).chain(&["--file", "-"]).map(OsString::from);
    let edited = match cli::parse(arguments) {
        Ok(cli) => offline::edited(&cli.command, input.to_owned()),
        Err(failure) => Err(failure),
    };
    edited.map_err(|failure| failure.message)
}

/// The exit code of a command that did its work.
fn execute(command: Command) -> Result<u8, Failure> {
    match command {
        Command::Serve(args) => serve::run(&args),
        Command::Webhook(args) => webhook::run(&args),
        Command::Certs(args) => certs::run(&args),
        Command::Rewrite(args) => offline::rewrite(&args),
        Command::Restore(args) => offline::restore(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Check(args) => return check::run(&args),
        Command::Status(args) => return status::run(&args),
        Command::Probe(args) => return probe::run(&args),
    }
    .map(|()| 0)
}
