//! The arguments.

use clap::{Parser, Subcommand, ValueEnum};

/// What is to be done.
#[derive(Debug, Parser)]
#[command(name = "scripts/bench", args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What is measured; all of it where nothing is named.
    pub part: Option<Part>,

    /// How the figures are printed.
    #[arg(short, default_value = "table")]
    pub output: Output,

    #[command(subcommand)]
    pub task: Option<Task>,
}

/// What can be measured, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// What a probe costs.
    Probe,
    /// The memory that the filter adds to Envoy.
    Memory,
    /// The time that it adds to Envoy's start.
    Start,
    /// The agent's memory.
    Agent,
    /// Rewriting manifests and admitting pods.
    Rewrite,
    /// The webhook over TLS.
    Webhook,
}

impl Part {
    /// As in the arguments.
    pub fn name(self) -> String {
        self.to_possible_value().expect("none is hidden").get_name().to_owned()
    }
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table in Markdown.
    Table,
    /// One JSON object.
    Json,
}

/// Something else than measuring.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Task {
    /// Sees to it that sizes and instructions do not creep.
    Guards {
        /// Keeps the instructions as they are now.
        #[arg(long)]
        accept: bool,
    },
}

impl Args {
    pub fn parts(&self) -> Vec<Part> {
        self.part.map_or_else(|| Part::value_variants().to_vec(), |part| vec![part])
    }
}
