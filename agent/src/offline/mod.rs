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
use crate::cli::{Command, ManifestArgs, Output, RestoreArgs, RewriteArgs};
use crate::exit::Failure;

/// Redirects the probes of the manifests, or gives their pods what the filter needs.
pub fn rewrite(args: &RewriteArgs) -> Result<(), Failure> {
    print_edited(&Editor::rewrite(args), &args.manifests)
}

/// Gives the manifests their original probes back.
pub fn restore(args: &RestoreArgs) -> Result<(), Failure> {
    print_edited(&Editor::restore(args), &args.manifests)
}

/// What the command would print, were this its input.
///
/// # Errors
/// It prints nothing, as its input is wrong; or it is neither `rewrite` nor `restore`.
pub fn edited(command: &Command, input: String) -> Result<String, Failure> {
    let editor = match command {
        Command::Rewrite(args) => Editor::rewrite(args),
        Command::Restore(args) => Editor::restore(args),
        _ => return Err(Failure::usage("neither rewrite nor restore")),
    };
    Ok(editor.edit(&Source::new("input", input))?.text().into_owned())
}

/// What a command does, and how it prints that.
struct Editor {
    job: Job,
    output: Option<Output>,
    explain: bool,
}

impl Editor {
    fn rewrite(args: &RewriteArgs) -> Self {
        let job = match &args.filter {
            Some(revision) => Job::filter(args, revision),
            None => Job::rewrite(args),
        };
        Self { job, output: args.manifests.output, explain: args.explain }
    }

    fn restore(args: &RestoreArgs) -> Self {
        Self { job: Job::restore(args), output: args.manifests.output, explain: false }
    }

    fn edit(&self, source: &Source) -> Result<Printout, Failure> {
        let mut printout = Printout::new(self.output, self.explain);
        printout.reserve(source.length());
        source.each_document(|document| {
            if document.value().is_none() {
                printout.blank(&document);
                return Ok(());
            }
            printout.add(document, &self.job)
        })?;
        Ok(printout)
    }
}

fn print_edited(editor: &Editor, args: &ManifestArgs) -> Result<(), Failure> {
    let source = Source::read(&args.file)?;
    let printout = editor.edit(&source)?;
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
