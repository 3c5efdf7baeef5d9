//! The command line.

use app_health_webhook::tcp_check::DEFAULT_LISTEN;
use clap::{Parser, Subcommand};

/// What the process was asked to do.
#[derive(Debug, Parser)]
#[command(name = "app-health-agent", version, about)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes the TCP checks that the filter cannot make
    Serve {
        /// A loopback address, IP:PORT, or unix:PATH
        #[arg(long, default_value = DEFAULT_LISTEN)]
        listen: String,
    },
}
