//! `app-health-agent completions`: the script by which a shell completes commands, flags and their values.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::cli::Cli;
use crate::exit::Failure;
use crate::offline::print;

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// Whose script
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// What each shell is told.
pub const HELP: &str = "\
Examples:
  app-health-agent completions bash > /etc/bash_completion.d/app-health-agent
  app-health-agent completions zsh > \"${fpath[1]}/_app-health-agent\"
  app-health-agent completions fish > ~/.config/fish/completions/app-health-agent.fish";

/// Prints the script.
///
/// # Errors
/// System when stdout cannot be written.
pub fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "app-health-agent", &mut script);
    let script = String::from_utf8_lossy(&script);
    // clap_complete spells a hyphen of the program's name in two ways, so that bash finds no subcommand
    // (clap's issue 6421).
    let script = script.replace("app__subcmd__health__subcmd__agent", "app__health__agent");
    print(&script, "").map(drop)
}
