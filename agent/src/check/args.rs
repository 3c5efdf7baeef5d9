//! The arguments of `check`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::finding::Severity;
use crate::names::label;
use crate::pod_args::RedirectArgs;

/// Shown under the flags.
pub const HELP: &str = "\
It reads all of a cluster or a part of it, or manifests before they are applied. What cannot be judged \
without objects that the input lacks is named on stderr.

Exit codes: 0 nothing found, 1 warnings, 2 errors; 64 wrong arguments, 65 no Kubernetes objects, 66 a \
file that cannot be read. Of `-o json`, `version` grows when a member goes or changes its meaning.

Examples:
  kubectl get pods,namespaces,deployments,mutatingwebhookconfigurations -A -o json |
    app-health-agent check -f -
  kubectl get pods,namespaces,mutatingwebhookconfigurations,envoyfilters -A -o json |
    app-health-agent check -f - --complete
  kustomize build . | app-health-agent check -f - -o json --fail-on error";

/// Arguments of `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Objects as kubectl gets them, or manifests: YAML with any number of documents, or JSON; `-`
    /// reads stdin
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,

    /// How to print what was found
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,

    /// The least severe finding for which the exit code is not 0
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    pub fail_on: Severity,

    /// The input has all that there is: of a kind that is not in it, the cluster has no object
    #[arg(long)]
    pub complete: bool,

    /// The mesh's root namespace, whose EnvoyFilters hold for all namespaces
    #[arg(long, value_name = "NAME", default_value = "istio-system", value_parser = label)]
    pub root_namespace: String,

    /// Which probes the webhook sends where.
    #[command(flatten)]
    pub redirect: RedirectArgs,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A line a finding, and what to do
    Table,
    /// One JSON object: version, findings, pods, errors, warnings, passed_over, not_looked_at
    Json,
}
