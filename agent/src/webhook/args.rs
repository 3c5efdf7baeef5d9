//! The arguments of `webhook`, and what they come to. All of them are checked here, before
//! anything is bound.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use app_health_webhook::rewrite::Options;
use clap::Args;
use log::LevelFilter;

use crate::agent_args::AgentArgs;
use crate::logger::Format;

/// Arguments of `webhook`.
#[derive(Args, Debug)]
#[command(mut_arg("agent_image", |arg| arg.env("APP_HEALTH_AGENT_IMAGE")))]
#[command(mut_arg("agent_resources", |arg| arg.env("APP_HEALTH_AGENT_RESOURCES")))]
#[command(mut_arg("agent_user", |arg| arg.env("APP_HEALTH_AGENT_USER")))]
#[command(mut_arg("agent_pull_secret", |arg| arg.env("APP_HEALTH_AGENT_PULL_SECRET")))]
pub struct WebhookArgs {
    /// Where to serve admission reviews: IP:PORT, or :PORT for every address
    #[arg(long, value_name = "ADDRESS", default_value = ":8443", env = "APP_HEALTH_LISTEN")]
    pub listen: Address,

    /// Where to serve /healthz, /readyz and /metrics in plain text: IP:PORT, or :PORT
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = ":8080",
        env = "APP_HEALTH_METRICS_LISTEN"
    )]
    pub metrics_listen: Address,

    /// The certificate chain to serve with, in PEM; read again when it changes
    #[arg(long, value_name = "FILE", env = "APP_HEALTH_TLS_CERT")]
    pub tls_cert: PathBuf,

    /// The certificate's private key, in PEM; read again when it changes
    #[arg(long, value_name = "FILE", env = "APP_HEALTH_TLS_KEY", hide_env_values = true)]
    pub tls_key: PathBuf,

    /// Whether pods are rewritten that have no annotation sidecar.istio.io/rewriteAppHTTPProbers
    #[arg(long, value_name = "true|false", default_value_t = true,
          action = clap::ArgAction::Set, env = "APP_HEALTH_DEFAULT_REWRITE")]
    pub default_rewrite: bool,

    /// The name of the sidecar container; may be given several times (in the environment: with
    /// commas)
    #[arg(
        long,
        value_name = "NAME",
        default_value = "istio-proxy",
        value_delimiter = ',',
        value_parser = container_name,
        env = "APP_HEALTH_SIDECAR"
    )]
    pub sidecar: Vec<String>,

    /// The port that probes are sent to, unless the annotation status.sidecar.istio.io/port names
    /// another
    #[arg(long, value_name = "N", default_value_t = 15020,
          value_parser = clap::value_parser!(u16).range(1..), env = "APP_HEALTH_STATUS_PORT")]
    pub status_port: u16,

    /// What is put into pods.
    #[command(flatten)]
    pub agent: AgentArgs,

    /// How log lines are written
    #[arg(long, value_name = "FORMAT", default_value = "text", env = "APP_HEALTH_LOG_FORMAT")]
    pub log_format: Format,

    /// The least important log lines to write: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = level,
          env = "APP_HEALTH_LOG_LEVEL")]
    pub log_level: LevelFilter,
}

impl WebhookArgs {
    /// What the library takes of them.
    pub fn options(&self) -> Options {
        Options {
            default_rewrite: self.default_rewrite,
            status_port: self.status_port,
            sidecars: self.sidecar.clone(),
            agent: self.agent.options(),
            reports: true,
        }
    }
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// On one address, or on all of its family.
    One(SocketAddr),
    /// On all addresses, of IPv6 too where the system has it.
    All(u16),
}

impl Address {
    /// What to bind: the first that can be.
    pub fn candidates(self) -> Vec<SocketAddr> {
        match self {
            Self::One(address) => vec![address],
            Self::All(port) => {
                vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(address) => address.fmt(f),
            Self::All(port) => write!(f, ":{port}"),
        }
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = text.strip_prefix(':').and_then(|port| port.parse().ok().map(Self::All));
        let one = || text.parse().ok().map(Self::One);
        all.or_else(one).ok_or("neither IP:PORT, as in 10.0.0.7:8443 or [::1]:8443, nor :PORT")
    }
}

fn level(text: &str) -> Result<LevelFilter, &'static str> {
    text.parse().map_err(|_| "none of off, error, warn, info, debug, trace")
}

fn container_name(text: &str) -> Result<String, &'static str> {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let ends = !text.starts_with('-') && !text.ends_with('-');
    if text.is_empty() || text.len() > 63 || !ends || !text.bytes().all(inner) {
        return Err("no name of a container: lower-case letters, digits and hyphens, 63 at most");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_or_all() {
        for (text, first) in [
            (":8443", Some("[::]:8443")),
            (":0", Some("[::]:0")),
            ("0.0.0.0:1", Some("0.0.0.0:1")),
            ("[::1]:8443", Some("[::1]:8443")),
            ("8443", None),
            ("", None),
            (":", None),
            (":65536", None),
            ("localhost:8443", None),
            ("10.0.0.7", None),
        ] {
            let address = text.parse::<Address>().ok();
            let candidate = address.map(|address| address.candidates()[0].to_string());
            assert_eq!(candidate.as_deref(), first, "{text:?}");
            assert!(address.is_none_or(|address| address.to_string() == text), "{text:?}");
        }
    }

    #[test]
    fn a_containers_name_is_a_dns_label() {
        let long = "x".repeat(64);
        for name in ["", "-a", "a-", "A", "a.b", "a b", "é", &long] {
            assert!(container_name(name).is_err(), "{name:?}");
        }
        for name in ["istio-proxy", "a", "0", &long[1..]] {
            assert!(container_name(name).is_ok(), "{name:?}");
        }
    }
}
