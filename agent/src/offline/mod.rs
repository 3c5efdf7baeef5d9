//! The commands `rewrite` and `restore`: manifests in, manifests out.
//!
//! Everything is read and written into memory before anything is printed: a run that fails prints
//! nothing but its error.

mod change;
mod output;
pub mod source;

use std::io::{self, Write};

use self::change::Job;
use self::output::Printout;
use self::source::Source;
use crate::cli::{ManifestArgs, RestoreArgs, RewriteArgs};
use crate::exit::Failure;

/// Redirects the probes of the manifests, or gives their pods what the filter needs.
pub fn rewrite(args: &RewriteArgs) -> Result<(), Failure> {
    let job = match &args.filter {
        Some(revision) => Job::filter(args, revision),
        None => Job::rewrite(args),
    };
    run(&job, &args.manifests, Printout::new(args.manifests.output, args.explain))
}

/// Gives the manifests their original probes back.
pub fn restore(args: &RestoreArgs) -> Result<(), Failure> {
    run(&Job::restore(args), &args.manifests, Printout::new(args.manifests.output, false))
}

fn run(job: &Job, args: &ManifestArgs, mut printout: Printout) -> Result<(), Failure> {
    let source = Source::read(&args.file)?;
    printout.reserve(source.length());
    source.each_document(|document| {
        if document.value().is_none() {
            printout.blank(&document);
            return Ok(());
        }
        printout.add(document, job)
    })?;
    print(&printout.text(), printout.warnings()).map(drop)
}

/// Prints, and says whether anyone still reads: a reader that has gone away, as in `… | head`, is no
/// failure.
pub fn print(text: &str, warnings: &str) -> Result<bool, Failure> {
    // A closed stderr is no reason to withhold the rest.
    let _ = io::stderr().write_all(warnings.as_bytes());
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::system(format!("stdout: {error}"))),
    }
}
