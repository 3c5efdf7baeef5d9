//! The arguments of `certs`.

use std::collections::BTreeSet;
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

    /// A webhook that gets the caBundle beside the three of app-health: its MutatingWebhookConfiguration
    /// and its name in it; may be given several times. With --apply, all webhooks of the configuration
    /// that ask the Service get it
    #[arg(long = "webhook", value_name = "CONFIGURATION/NAME", value_parser = webhook)]
    pub more_webhooks: Vec<Webhook>,

    /// How long the serving certificate is valid
    #[arg(long, value_name = "DAYS", default_value_t = 365,
          value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub days: u16,

    /// An existing Secret of an earlier run, in YAML or JSON, whose CA is kept; `-` reads stdin.
    /// --namespace, --service and --secret have to be those of that run
    #[arg(long, value_name = "FILE", conflicts_with = "apply")]
    pub renew: Option<PathBuf>,

    /// Print no manifests, but see to it that the Secret, which has to be there, holds a certificate of
    /// which more than a third of its life is left, and that the webhooks have its CA. For a pod: the API
    /// server is the one that KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT name
    #[arg(long)]
    pub apply: bool,

    /// With --apply, the folder of the API server's CA (ca.crt) and of the token to show it (token)
    #[arg(
        long,
        value_name = "FOLDER",
        requires = "apply",
        default_value = "/var/run/secrets/kubernetes.io/serviceaccount"
    )]
    pub service_account: PathBuf,
}

impl CertsArgs {
    /// All webhooks that get the caBundle, by their configurations.
    pub fn webhooks(&self) -> BTreeSet<Webhook> {
        let own = [
            ("filter.webhook.app-health", "filter.webhook.app-health"),
            ("filter.webhook.app-health", "switch.webhook.app-health"),
            ("rewrite.webhook.app-health", "rewrite.webhook.app-health"),
        ];
        let own = own.map(|(configuration, name)| Webhook {
            configuration: configuration.to_owned(),
            name: name.to_owned(),
        });
        own.into_iter().chain(self.more_webhooks.iter().cloned()).collect()
    }

    /// What the API server calls the Service.
    pub fn host(&self) -> String {
        format!("{}.{}.svc", self.service, self.namespace)
    }
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
