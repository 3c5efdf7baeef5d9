//! The arguments about pods, which several commands have in common.

use app_health_webhook::rewrite::Options;
use clap::Args;

use crate::agent_args::AgentArgs;
use crate::mesh_args::MeshArgs;
use crate::names::label;

/// What is done to pods, by `webhook` and `rewrite`.
#[derive(Args, Debug)]
pub struct PodArgs {
    /// Which probes are sent where.
    #[command(flatten)]
    pub redirect: RedirectArgs,

    /// What is put into pods.
    #[command(flatten)]
    pub agent: AgentArgs,

    /// What the mesh sets for all of them.
    #[command(flatten)]
    pub mesh: MeshArgs,
}

/// Which probes are sent where.
#[derive(Args, Debug)]
pub struct RedirectArgs {
    /// Whether pods are rewritten that have neither the annotation app-health/rewrite nor
    /// sidecar.istio.io/rewriteAppHTTPProbers
    #[arg(long, value_name = "true|false", default_value_t = true, action = clap::ArgAction::Set)]
    pub default_rewrite: bool,

    /// Whom probes are sent to.
    #[command(flatten)]
    pub sidecar: SidecarArgs,

    /// The port that probes are sent to, unless the annotation status.sidecar.istio.io/port names
    /// another
    #[arg(long, value_name = "N", default_value_t = 15020,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub status_port: u16,
}

/// Which container is the sidecar.
#[derive(Args, Debug)]
pub struct SidecarArgs {
    /// The name of the sidecar container; may be given several times, or with commas
    #[arg(id = "sidecar", long = "sidecar", value_name = "NAME", default_value = "istio-proxy",
          value_delimiter = ',', value_parser = label)]
    pub names: Vec<String>,
}

impl PodArgs {
    /// What the library takes of them.
    pub fn options(&self, reports: bool) -> Options {
        Options { agent: self.agent.options(), reports, ..self.redirect.options() }
    }
}

impl RedirectArgs {
    /// What the library takes of them, which then puts nothing into pods, and reports.
    pub fn options(&self) -> Options {
        Options {
            default_rewrite: self.default_rewrite,
            status_port: self.status_port,
            sidecars: self.sidecar.names.clone(),
            ..Options::default()
        }
    }
}
