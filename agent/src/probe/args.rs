//! The arguments of `probe`.

use app_health_webhook::path::{LIFECYCLE_PREFIX, PROBE_PREFIX, ProbePath};
use clap::{ArgGroup, Args, ValueEnum};

use crate::page::PageArgs;

/// Shown under the flags.
pub const HELP: &str = "\
It sends the probe to the status port as the kubelet does, then the original check to the app itself, \
and says who is at fault: the app, the redirection, the agent, the configuration or nobody. Where the \
two differ, both are asked once more. The app is asked only in its pod, or with --local. The status page \
hides the values of httpHeaders other than Host: those headers are left out of both requests. Its \
requests count as the kubelet's do, in the page's state as well.

Exit codes: 0 nobody is at fault, 1 somebody is, 2 there is no status page that can be read or no such \
probe; 64 wrong arguments.

Examples:
  kubectl exec POD -c app-health-agent -- /app-health-agent probe web/readyz
  kubectl exec POD -c app-health-agent -- /app-health-agent probe --all -o json
  kubectl port-forward POD 15020 &
  app-health-agent probe web/livez";

/// Arguments of `probe`.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("which").args(["probe", "all"]).required(true)))]
pub struct ProbeArgs {
    /// Which probe: CONTAINER/readyz, CONTAINER/livez or CONTAINER/startupz
    #[arg(value_name = "PROBE", value_parser = path)]
    pub probe: Option<String>,

    /// Every probe, one after the other, but for startup probes and those with hidden headers
    #[arg(long)]
    pub all: bool,

    /// Where the page is.
    #[command(flatten)]
    pub page: PageArgs,

    /// The page is of an Envoy on this machine, not of a forwarded port: ask the app here, at loopback too
    #[arg(long)]
    pub local: bool,

    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
}

/// How the results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For each probe both results with their times, and who is at fault
    Table,
    /// One JSON object: version, address, errors, probes, left_out
    Json,
}

/// The path on the status port.
fn path(text: &str) -> Result<String, &'static str> {
    let forms =
        [text.to_owned(), format!("{PROBE_PREFIX}{text}"), format!("{LIFECYCLE_PREFIX}{text}")];
    let path = forms.into_iter().find(|path| ProbePath::parse(path).is_some());
    let path = path.ok_or("none of CONTAINER/readyz, CONTAINER/livez, CONTAINER/startupz")?;
    if path.starts_with(LIFECYCLE_PREFIX) {
        return Err("a lifecycle hook is not asked: that would carry it out");
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_named_by_container_and_last_segment() {
        for name in ["web/readyz", "/app-health/web/readyz"] {
            assert_eq!(path(name).as_deref(), Ok("/app-health/web/readyz"));
        }
        for name in ["web/prestopz", "web/poststartz", "/app-lifecycle/web/prestopz"] {
            assert!(path(name).unwrap_err().contains("hook"), "{name}");
        }
        for name in ["", "web", "web/", "/readyz", "web/ready", "web/a/readyz", "a b/readyz"] {
            assert!(path(name).unwrap_err().contains("CONTAINER/readyz"), "{name}");
        }
    }
}
