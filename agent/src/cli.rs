//! The arguments.

use std::path::PathBuf;

use app_health_webhook::injection::Revision;
use app_health_webhook::tcp_check::DEFAULT_LISTEN;
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::certs::args::CertsArgs;
use crate::check::args::CheckArgs;
use crate::completions::CompletionsArgs;
use crate::exit::Failure;
use crate::logger::LogArgs;
use crate::pod_args::{PodArgs, SidecarArgs};
use crate::probe::args::ProbeArgs;
use crate::status::args::StatusArgs;
use crate::webhook::args::WebhookArgs;

/// Health probes that work behind a mesh's sidecar: the native part of app-health.
#[derive(Debug, Parser)]
#[command(name = "app-health-agent", version, max_term_width = 100, arg_required_else_help = false)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the TCP checks that the filter asks for
    #[command(after_help = "Example:\n  app-health-agent serve --listen 127.0.0.1:15023")]
    Serve(ServeArgs),
    /// Serve the admission webhook, which redirects the probes of new pods
    #[command(after_help = WEBHOOK_HELP)]
    Webhook(Box<WebhookArgs>),
    /// Make a CA and a certificate for the webhook, as manifests or in the cluster
    #[command(after_help = CERTS_HELP)]
    Certs(CertsArgs),
    /// Redirect the probes of Kubernetes manifests to the status port
    #[command(after_help = REWRITE_HELP)]
    Rewrite(RewriteArgs),
    /// Give rewritten manifests their original probes back
    #[command(after_help = RESTORE_HELP)]
    Restore(RestoreArgs),
    /// Find what is wrong with probes, in a cluster or in manifests
    #[command(after_help = crate::check::args::HELP)]
    Check(CheckArgs),
    /// Show how the probes of a pod go
    #[command(after_help = crate::status::args::HELP)]
    Status(StatusArgs),
    /// Try a probe and the app itself, and say who is at fault
    #[command(after_help = crate::probe::args::HELP)]
    Probe(ProbeArgs),
    /// Print the script by which a shell completes these commands
    #[command(after_help = crate::completions::HELP)]
    Completions(CompletionsArgs),
}

const WEBHOOK_HELP: &str = "\
Example:
  app-health-agent webhook --tls-cert tls/tls.crt --tls-key tls/tls.key --agent-image agent:1";

const CERTS_HELP: &str = "\
The private keys are in the Secret that is printed, and nowhere else. Without a field manager of its \
own, what is applied would take the rest of the configuration away.

Examples:
  app-health-agent certs |
    kubectl apply --server-side --force-conflicts --field-manager=app-health-certs -f -
  kubectl get secret -n app-health app-health-webhook-tls -o yaml | app-health-agent certs --renew - |
    kubectl apply --server-side --force-conflicts --field-manager=app-health-certs -f -";

const REWRITE_HELP: &str = "\
Pods are found in Kubernetes' own workloads, in whatever else has spec.template.spec.containers (Argo \
Rollouts, CloneSets, Knative Services) and in lists of these. Probes that are anywhere else stay, with \
a warning.

A document in which nothing changes comes out as it stood. A YAML document that changes keeps its \
order, its scalars and their quotes, but loses its comments, anchors and merge keys.

Examples:
  kubectl get deployment hello -o yaml | app-health-agent rewrite -f - | kubectl replace -f -
  app-health-agent rewrite -f hello.yaml --add-sidecar --explain
  app-health-agent rewrite -f hello.yaml --filter | kubectl apply -f -";

const RESTORE_HELP: &str = "\
What rewrite --filter has set stays, with a warning.

Example:
  kubectl get deployment hello -o yaml | app-health-agent restore -f - | kubectl replace -f -";

/// Arguments of `serve`.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Where to listen: a loopback address and port, or unix:PATH
    #[arg(long, value_name = "ADDRESS", default_value = DEFAULT_LISTEN)]
    pub listen: String,

    /// Log lines.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Arguments of `rewrite`.
#[derive(Args, Debug)]
#[command(mut_arg("proxy_config", |arg| arg.requires("filter")))]
#[command(mut_arg("exclude_inbound_ports", |arg| arg.requires("filter")))]
pub struct RewriteArgs {
    /// What to read and how to write.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// What is done to pods.
    #[command(flatten)]
    pub pods: PodArgs,

    /// Give a pod that has no sidecar a minimal one, to try the rewrite out
    #[arg(long)]
    pub add_sidecar: bool,

    /// Leave the probes alone, and give pods what they need to take the filter from Istio's injector: the
    /// label app-health/filter with this value, and annotations [default value: true]
    #[arg(long, value_name = "REVISION", num_args = 0..=1, require_equals = true,
          default_missing_value = "true",
          conflicts_with_all = ["add_sidecar", "agent_image", "explain"])]
    pub filter: Option<Revision>,

    /// Print a table instead: each probe, where it led and where it leads now, or why it stays
    #[arg(long, conflicts_with = "output")]
    pub explain: bool,
}

/// Arguments of `restore`.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// What to read and how to write.
    #[command(flatten)]
    pub manifests: ManifestArgs,

    /// Whom probes are sent to.
    #[command(flatten)]
    pub sidecar: SidecarArgs,
}

/// What to read and how to write.
#[derive(Args, Debug)]
pub struct ManifestArgs {
    /// The manifests: YAML with any number of documents, or JSON; `-` reads stdin
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,

    /// The format to write [default: each document's own]
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<Output>,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// YAML documents
    Yaml,
    /// JSON documents
    Json,
    /// One line of JSON a document: kind, namespace, name and a JSON Patch
    Patch,
}

/// Reads the arguments; help and version are an `Err` of exit code 0.
pub fn parse<I, T>(args: I) -> Result<Cli, Failure>
where
    I: IntoIterator<Item = T>,
    T: Into<std::ffi::OsString> + Clone,
{
    Cli::try_parse_from(args).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Failure { exit: 0, message: error.render().to_string() }
        }
        _ => Failure::usage(one_line(&error)),
    })
}

/// clap's first paragraph, which names the flag, without the usage that follows.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let lines: Vec<&str> =
        text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    lines.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(args: &[&str]) -> Failure {
        parse([&["app-health-agent"], args].concat()).unwrap_err()
    }

    #[test]
    fn the_definition_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn wrong_usage_is_one_line_that_names_the_flag() {
        for (args, named) in [
            (&[] as &[&str], "subcommand"),
            (&["fly"], "'fly'"),
            (&["rewrite"], "--file"),
            (&["restore"], "--file"),
            (&["rewrite", "-f"], "--file"),
            (&["rewrite", "-f", "-", "--frobnicate"], "--frobnicate"),
            (&["rewrite", "-f", "-", "-o", "xml"], "--output"),
            (&["rewrite", "-f", "-", "--default-rewrite", "perhaps"], "--default-rewrite"),
            (&["rewrite", "-f", "-", "--default-rewrite"], "--default-rewrite"),
            (&["rewrite", "-f", "-", "--filter=false"], "--filter"),
            (&["certs", "--webhook", "a"], "--webhook"),
            (&["certs", "--webhook", "a/B"], "--webhook"),
            (&["rewrite", "-f", "-", "--filter=a/b"], "--filter"),
            (&["rewrite", "-f", "-", "--filter", "--add-sidecar"], "--add-sidecar"),
            (&["rewrite", "-f", "-", "--filter", "--explain"], "--explain"),
            (&["rewrite", "-f", "-", "--filter", "--agent-image", "a"], "--agent-image"),
            (&["rewrite", "-f", "-", "--status-port", "0"], "--status-port"),
            (&["rewrite", "-f", "-", "--status-port", "65536"], "--status-port"),
            (&["rewrite", "-f", "-", "--status-port", "http"], "--status-port"),
            (&["rewrite", "-f", "-", "--explain", "-o", "json"], "--explain"),
            (&["rewrite", "-f", "-", "-f", "a"], "--file"),
            (&["restore", "-f", "-", "--status-port", "1"], "--status-port"),
            (&["serve", "--listen"], "--listen"),
            (&["serve", "--log-level", "loud"], "--log-level"),
            (&["certs", "--days", "0"], "--days"),
            (&["certs", "--apply", "--renew", "-"], "--renew"),
            (&["certs", "--service-account", "a"], "--apply"),
            (&["certs", "--service", "a.b"], "--service"),
            (&["certs", "--namespace", ""], "--namespace"),
            (&["certs", "--webhook", "a..b"], "--webhook"),
            (&["check"], "--file"),
            (&["check", "-f", "-", "-o", "yaml"], "--output"),
            (&["check", "-f", "-", "--fail-on", "never"], "--fail-on"),
            (&["check", "-f", "-", "--root-namespace", "A"], "--root-namespace"),
            (&["check", "-f", "-", "--agent-image", "a"], "--agent-image"),
            (&["probe"], "<PROBE|--all>"),
            (&["probe", "web"], "CONTAINER/readyz"),
            (&["probe", "web/prestopz"], "hook"),
            (&["probe", "web/readyz", "--all"], "--all"),
            (&["probe", "web/readyz", "web/livez"], "web/livez"),
            (&["probe", "--all", "-o", "yaml"], "--output"),
            (&["completions"], "SHELL"),
            (&["completions", "csh"], "csh"),
            (&["status", "-o", "yaml"], "--output"),
            (&["status", "--url", "https://127.0.0.1:15020/app-health/"], "--url"),
            (&["status", "--url", "127.0.0.1"], "--url"),
            (&["status", "--url", "http://a@b/"], "--url"),
            (&["status", "--url", "http://a b/"], "--url"),
            (&["status", "--url", "http://a:65536/"], "no port"),
            (&["status", "--url", "http://[::1]:0/"], "no port"),
            (&["status", "--url", "http://a:http/"], "no port"),
            (&["webhook"], "--tls-cert"),
            (&["webhook", "--tls-cert", "a"], "--tls-key"),
            (&["webhook", "--listen", "8443"], "--listen"),
            (&["webhook", "--metrics-listen", "localhost:1"], "--metrics-listen"),
            (&["webhook", "--default-rewrite", "1"], "--default-rewrite"),
            (&["webhook", "--sidecar", "a,B"], "--sidecar"),
            (&["webhook", "--status-port", "0"], "--status-port"),
            (&["webhook", "--agent-image", "UPPER/!!:::x"], "--agent-image"),
            (&["webhook", "--agent-image", "a b"], "--agent-image"),
            (&["webhook", "--agent-resources", "{\"cpu\":\"1\"}"], "--agent-resources"),
            (&["webhook", "--agent-user", "root"], "--agent-user"),
            (&["webhook", "--agent-pull-secret", "a b"], "--agent-pull-secret"),
            (&["webhook", "--proxy-config", "[]"], "--proxy-config"),
            (&["webhook", "--proxy-config", "a: &b c\nd: *b"], "--proxy-config"),
            (&["webhook", "--proxy-config", "runtimeValues: []"], "runtimeValues"),
            (
                &["webhook", "--proxy-config", "defaultConfig: {}"],
                "give what is under defaultConfig",
            ),
            (&["webhook", "--exclude-inbound-ports", "80,a"], "--exclude-inbound-ports"),
            (&["webhook", "--exclude-inbound-ports", "0"], "--exclude-inbound-ports"),
            (&["rewrite", "-f", "-", "--proxy-config", "{}"], "--filter"),
            (&["rewrite", "-f", "-", "--exclude-inbound-ports", "80"], "--filter"),
            (&["rewrite", "-f", "-", "--agent-image", "a b"], "--agent-image"),
            (&["rewrite", "-f", "-", "--agent-resources", "[]"], "--agent-resources"),
            (&["rewrite", "-f", "-", "--agent-resources", "none"], "--agent-image"),
            (&["rewrite", "-f", "-", "--agent-user", "none"], "--agent-image"),
            (&[WEBHOOK, &["--agent-pull-secret", "key"]].concat(), "--agent-image"),
            (&["webhook", "--log-format", "xml"], "--log-format"),
            (&["webhook", "--log-level", "loud"], "--log-level"),
        ] {
            let failure = failure(args);
            assert_eq!(failure.exit, 64, "{args:?}");
            assert!(failure.message.contains(named), "{args:?}: {}", failure.message);
            assert!(!failure.message.contains('\n'), "{args:?}: {}", failure.message);
        }
    }

    #[test]
    fn help_and_version_are_no_failure() {
        for (args, says) in [
            (&["--version"] as &[&str], "app-health-agent 0."),
            (&["--help"], "rewrite"),
            (&["help", "rewrite"], "--explain"),
            (&["serve", "--help"], "app-health-agent serve --listen"),
            (&["certs", "--help"], "--renew"),
            (&["webhook", "--help"], "APP_HEALTH_TLS_CERT"),
            (&["rewrite", "--help"], "app-health-agent rewrite -f"),
            (&["restore", "--help"], "app-health-agent restore -f"),
            (&["check", "--help"], "app-health-agent check -f"),
            (&["status", "--help"], "kubectl port-forward"),
            (&["probe", "--help"], "kubectl exec POD"),
            (&["completions", "--help"], "bash_completion.d"),
        ] {
            let failure = failure(args);
            assert_eq!(failure.exit, 0, "{args:?}");
            assert!(failure.message.contains(says), "{args:?}: {}", failure.message);
        }
    }

    /// Certificate and key are its only arguments without a default.
    const WEBHOOK: &[&str] = &["webhook", "--tls-cert", "c", "--tls-key", "k"];

    #[test]
    fn sidecars_add_up_and_replace_the_default() {
        for command in ["rewrite", "restore", "webhook"] {
            let rest = if command == "webhook" { &WEBHOOK[1..] } else { &["-f", "-"] };
            let parsed = |args: &[&str]| parse([&["a", command], rest, args].concat());
            let sidecars = |args: &[&str]| match parsed(args).unwrap().command {
                Command::Rewrite(args) => args.pods.redirect.sidecar.names,
                Command::Restore(args) => args.sidecar.names,
                Command::Webhook(args) => args.pods.redirect.sidecar.names,
                _ => unreachable!(),
            };
            assert_eq!(sidecars(&[]), ["istio-proxy"]);
            assert_eq!(sidecars(&["--sidecar", "envoy", "--sidecar", "proxy"]), ["envoy", "proxy"]);
            assert_eq!(sidecars(&["--sidecar", "envoy,proxy"]), ["envoy", "proxy"]);
            for name in ["", "Envoy", "a b", "envoy,", "a.b"] {
                let failure = parsed(&["--sidecar", name]).unwrap_err();
                assert_eq!(failure.exit, 64, "{command} {name:?}");
                assert!(failure.message.contains("--sidecar"), "{}", failure.message);
            }
        }
    }
}
