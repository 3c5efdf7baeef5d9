//! The command `status`: how the probes of a pod go, from the filter's status page.
//!
//! | module | what it decides |
//! |---|---|
//! | [`args`] | the arguments |
//! | [`output`] | what is printed |

pub mod args;
pub mod output;

use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::time::Duration;

use tokio::time::sleep;

use self::args::{Output, StatusArgs};
use crate::exit::{Failure, UNREACHABLE};
use crate::net::{self, signals::Signals};
use crate::offline::print;
use crate::page::fetch;
use crate::page::shape::{Page, State};

/// With `--watch`, from one answer to the next request.
const PAUSE: Duration = Duration::from_secs(2);

/// Clears the screen of a terminal.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Prints it. The exit code says whether all is well.
///
/// # Errors
/// There is no page that can be read, or stdout fails.
pub fn run(args: &StatusArgs) -> Result<u8, Failure> {
    let runtime = net::runtime()?;
    let exit = runtime.block_on(async {
        if args.watch {
            return watch(args).await;
        }
        let (text, page) = fetch(&args.page).await?;
        print(&shown(args.output, &text, &page), "").map(|_| exit_code(&page))
    });
    // A name server that does not answer would keep a thread of it, and so the process.
    runtime.shutdown_background();
    exit
}

async fn watch(args: &StatusArgs) -> Result<u8, Failure> {
    let signals = Signals::new();
    let mut signals = signals.map_err(|error| Failure::system(format!("signals: {error}")))?;
    let exit = Cell::new(UNREACHABLE);
    tokio::select! {
        _ = signals.next() => {}
        ended = follow(args, &exit) => ended?,
    }
    Ok(exit.get())
}

/// Prints one answer after the other, until nobody reads them.
async fn follow(args: &StatusArgs, exit: &Cell<u8>) -> Result<(), Failure> {
    let clears = args.output == Output::Table && io::stdout().is_terminal();
    let clear = if clears { CLEAR } else { "" };
    loop {
        let answer = fetch(&args.page).await;
        let (code, text, problem) = match &answer {
            Ok((text, page)) => (exit_code(page), shown(args.output, text, page), String::new()),
            Err(Failure { exit, message }) => (*exit, String::new(), format!("{message}\n")),
        };
        exit.set(code);
        if !print(&format!("{clear}{text}"), "")? {
            return Ok(());
        }
        // After the screen has been cleared.
        print("", &problem)?;
        sleep(PAUSE).await;
    }
}

fn shown(output: Output, text: &[u8], page: &Page) -> String {
    match output {
        Output::Table => output::table(page),
        Output::Json => output::json(text),
    }
}

fn exit_code(page: &Page) -> u8 {
    let fails = page.probes.iter().any(|probe| probe.state == State::Failing);
    u8::from(fails || !page.errors.is_empty())
}
