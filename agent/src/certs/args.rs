//! The arguments of `certs`.

use std::path::PathBuf;

use clap::Args;

use crate::names::{label, subdomain};

/// Arguments of `certs`.
#[derive(Args, Debug)]
pub struct CertsArgs {
    /// The webhook's Service
    #[arg(long, value_name = "NAME", default_value = "app-health-webhook", value_parser = label)]
    pub service: String,

    /// The namespace of Service and Secret
    #[arg(long, value_name = "NAME", default_value = "app-health", value_parser = label)]
    pub namespace: String,

    /// The Secret that the webhook's pods mount
    #[arg(long, value_name = "NAME", default_value = "app-health-webhook-tls",
          value_parser = subdomain)]
    pub secret: String,

    /// A webhook that gets the caBundle: its MutatingWebhookConfiguration and its name in it; may be given
    /// several times
    #[arg(long, value_name = "CONFIGURATION/NAME", value_parser = webhook,
          default_values = ["filter.webhook.app-health/filter.webhook.app-health",
                            "filter.webhook.app-health/switch.webhook.app-health",
                            "rewrite.webhook.app-health/rewrite.webhook.app-health"])]
    pub webhook: Vec<Webhook>,

    /// How long the serving certificate is valid
    #[arg(long, value_name = "DAYS", default_value_t = 365,
          value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub days: u16,

    /// An existing Secret of an earlier run, in YAML or JSON, whose CA is kept; `-` reads stdin.
    /// --namespace, --service and --secret have to be those of that run
    #[arg(long, value_name = "FILE")]
    pub renew: Option<PathBuf>,
}

/// A webhook of a MutatingWebhookConfiguration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Webhook {
    /// The configuration's name.
    pub configuration: String,
    /// Its own.
    pub name: String,
}

fn webhook(text: &str) -> Result<Webhook, &'static str> {
    let (configuration, name) = text.split_once('/').ok_or("not CONFIGURATION/NAME")?;
    Ok(Webhook { configuration: subdomain(configuration)?, name: subdomain(name)? })
}
