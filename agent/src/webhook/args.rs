//! The arguments of `webhook`, and what they come to. All of them are checked here, before
//! anything is bound.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use crate::logger::LogArgs;
use crate::pod_args::PodArgs;

/// Arguments of `webhook`.
#[derive(Args, Debug)]
#[command(mut_arg("default_rewrite", |arg| arg.env("APP_HEALTH_DEFAULT_REWRITE")))]
#[command(mut_arg("sidecar", |arg| arg.env("APP_HEALTH_SIDECAR")))]
#[command(mut_arg("status_port", |arg| arg.env("APP_HEALTH_STATUS_PORT")))]
#[command(mut_arg("agent_image", |arg| arg.env("APP_HEALTH_AGENT_IMAGE")))]
#[command(mut_arg("agent_resources", |arg| arg.env("APP_HEALTH_AGENT_RESOURCES")))]
#[command(mut_arg("agent_user", |arg| arg.env("APP_HEALTH_AGENT_USER")))]
#[command(mut_arg("agent_pull_secret", |arg| arg.env("APP_HEALTH_AGENT_PULL_SECRET")))]
#[command(mut_arg("proxy_config", |arg| arg.env("APP_HEALTH_PROXY_CONFIG")))]
#[command(mut_arg("exclude_inbound_ports", |arg| arg.env("APP_HEALTH_EXCLUDE_INBOUND_PORTS")))]
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

    /// The filter's .wasm, to serve to sidecars
    #[arg(long, value_name = "FILE", env = "APP_HEALTH_WASM")]
    pub wasm: Option<PathBuf>,

    /// Where to serve it in plain text, under /SHA256.wasm: IP:PORT, or :PORT
    #[arg(long, value_name = "ADDRESS", default_value = ":8081", env = "APP_HEALTH_WASM_LISTEN")]
    pub wasm_listen: Address,

    /// The certificate chain to serve with, in PEM; read again when it changes
    #[arg(long, value_name = "FILE", env = "APP_HEALTH_TLS_CERT")]
    pub tls_cert: PathBuf,

    /// The certificate's private key, in PEM; read again when it changes
    #[arg(long, value_name = "FILE", env = "APP_HEALTH_TLS_KEY", hide_env_values = true)]
    pub tls_key: PathBuf,

    /// What is done to pods.
    #[command(flatten)]
    pub pods: PodArgs,

    /// Log lines.
    #[command(flatten)]
    pub log: LogArgs,
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
}
