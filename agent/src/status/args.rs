//! The arguments of `status`.

use clap::{Args, ValueEnum};

use crate::page::PageArgs;

/// Shown under the flags.
pub const HELP: &str = "\
Exit codes: 0 no probe fails (some may not have been asked yet), 1 some fail or the configuration has \
errors, 2 there is no status page that can be read; 64 wrong arguments.

Examples:
  kubectl exec POD -c app-health-agent -- /app-health-agent status
  kubectl port-forward POD 15020 &
  app-health-agent status --watch";

/// Arguments of `status`.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Where the page is.
    #[command(flatten)]
    pub page: PageArgs,

    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,

    /// Ask again every 2 s, until Ctrl-C or SIGTERM; the exit code is that of the last answer
    #[arg(short, long)]
    pub watch: bool,
}

/// How the page is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// What is wrong in the configuration, a line a probe, and the verdict
    Table,
    /// The page's own JSON, on one line
    Json,
}
