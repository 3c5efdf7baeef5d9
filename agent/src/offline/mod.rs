//! The commands `rewrite` and `restore`: manifests in, manifests out.
//!
//! Everything is read and written into memory before anything is printed: a run that fails prints
//! nothing but its error.

mod change;
mod output;
mod table;

use std::io::{self, Write};
use std::path::Path;

use self::change::Job;
use self::output::Printout;
use crate::cli::{ManifestArgs, RestoreArgs, RewriteArgs};
use crate::document::{Document, Documents};
use crate::exit::Failure;
use crate::input;

/// Largest input, in bytes.
const MAX_INPUT: u64 = 256 << 20;

/// Redirects the probes of the manifests.
pub fn rewrite(args: &RewriteArgs) -> Result<(), Failure> {
    run(&Job::rewrite(args), &args.manifests, Printout::new(args.manifests.output, args.explain))
}

/// Gives the manifests their original probes back.
pub fn restore(args: &RestoreArgs) -> Result<(), Failure> {
    run(&Job::restore(args), &args.manifests, Printout::new(args.manifests.output, false))
}

fn run(job: &Job, args: &ManifestArgs, mut printout: Printout) -> Result<(), Failure> {
    let name =
        if args.file == Path::new("-") { "stdin".into() } else { args.file.to_string_lossy() };
    let text = input::manifest(&args.file, MAX_INPUT).map_err(|failure| failure.of(&name))?;
    printout.reserve(text.len());
    let mut number = 0;
    for document in Documents::new(&text) {
        let result = match document {
            Ok(document) if document.value().is_none() => {
                printout.blank(&document);
                continue;
            }
            Ok(document) => add(job, document, &mut printout),
            Err(problem) => Err(Failure::data(problem)),
        };
        number += 1;
        result.map_err(|failure| failure.of(&format!("{name}: document {number}")))?;
    }
    if number == 0 {
        return Err(Failure::data(format!("{name}: empty: no Kubernetes object in it")));
    }
    print(&printout)
}

fn add(job: &Job, document: Document, printout: &mut Printout) -> Result<(), Failure> {
    let Some(value) = document.value() else { return Ok(()) };
    for field in ["apiVersion", "kind"] {
        if value.get(field).and_then(|value| value.as_str()).is_none_or(str::is_empty) {
            let problem = format!("not a Kubernetes object: it has no `{field}`");
            return Err(Failure::data(problem));
        }
    }
    printout.add(document, job)
}

/// Prints; a reader that has gone away, as in `… | head`, is no failure.
fn print(printout: &Printout) -> Result<(), Failure> {
    // A closed stderr is no reason to withhold the manifests.
    let _ = io::stderr().write_all(printout.warnings().as_bytes());
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(printout.text().as_bytes()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::system(format!("stdout: {error}")))
        }
        _ => Ok(()),
    }
}
