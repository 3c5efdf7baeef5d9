//! Has the API server take certificates of a CA: the caBundle of each webhook that asks the Service.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::api::{AGAIN, Api, Stop};
use super::apply::{Run, say};
use super::args::CertsArgs;
use super::bundle;
use crate::exit::Failure;

/// A MutatingWebhookConfiguration.
pub struct Configuration {
    name: String,
    path: String,
    /// As it is; or why nobody knows.
    read: Result<Value, Stop>,
}

impl Run<'_> {
    /// Those that have webhooks of ours, and those that cannot be read.
    ///
    /// # Errors
    /// There are none.
    pub async fn configurations(&self) -> Result<Vec<Configuration>, Failure> {
        let names: BTreeSet<_> =
            self.args.webhooks().into_iter().map(|it| it.configuration).collect();
        let mut all = Vec::new();
        for name in names {
            let path = format!(
                "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{name}"
            );
            match wait_for(&self.api, &path).await {
                Ok(None) => {
                    say(&format!("MutatingWebhookConfiguration {name}: not there, left out"))
                }
                Ok(Some(object)) if asking(&object, self.args).is_empty() => {}
                read => {
                    let read = read.map(Option::unwrap_or_default);
                    all.push(Configuration { name, path, read });
                }
            }
        }
        if all.is_empty() {
            let CertsArgs { namespace, service, .. } = self.args;
            return Err(Failure::unreachable(format!(
                "no webhook was found that asks the Service {namespace}/{service}: say --service, or \
                 --webhook where it is in another configuration"
            )));
        }
        Ok(all)
    }

    /// In all of them, so that each caBundle has the CA of this Secret, or no other. Where one fails, the
    /// others are done all the same.
    ///
    /// # Errors
    /// [`Stop`]
    pub async fn trust(
        &self,
        all: Vec<Configuration>,
        secret: &Value,
        ca: &str,
        alone: bool,
    ) -> Result<(), Stop> {
        let mut result = Ok(());
        for configuration in all {
            let done = self.trust_in(configuration, secret, ca, alone).await;
            if matches!(done, Err(Stop::Again)) {
                return done;
            }
            result = result.and(done);
        }
        result
    }

    async fn trust_in(
        &self,
        Configuration { name, path, read }: Configuration,
        secret: &Value,
        ca: &str,
        alone: bool,
    ) -> Result<(), Stop> {
        let object = read?;
        let ours = asking(&object, self.args);
        let changes: Vec<_> = ours.iter().filter_map(|it| change(it, ca, alone)).collect();
        if changes.is_empty() {
            return Ok(());
        }
        // Else it might take out the CA of a Secret that was changed meanwhile.
        self.expect_unchanged(secret).await?;
        let count = changes.len();
        let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
        self.api.patch(&path, &json!({"metadata": metadata, "webhooks": changes})).await?;
        say(&format!("MutatingWebhookConfiguration {name}: caBundle of {count} set"));
        Ok(())
    }
}

/// Whether a webhook of ours has other CAs, and not this one.
pub fn has_others(all: &[Configuration], args: &CertsArgs, ca: &str) -> bool {
    let read = all.iter().filter_map(|it| it.read.as_ref().ok());
    read.flat_map(|it| asking(it, args))
        .any(|webhook| bundle::is_of_others(&ca_bundle(webhook), ca))
}

/// What is applied together comes within that time: a configuration may be later than the run.
async fn wait_for(api: &Api, path: &str) -> Result<Option<Value>, Stop> {
    loop {
        let object = api.get(path).await?;
        if object.is_some() || Instant::now() >= api.deadline {
            return Ok(object);
        }
        sleep(AGAIN).await;
    }
}

/// The webhooks that ask the Service. Others, which may be in the same configuration, are none of ours.
fn asking<'a>(configuration: &'a Value, args: &CertsArgs) -> Vec<&'a Value> {
    let webhooks = configuration["webhooks"].as_array().into_iter().flatten();
    let asks_us = |webhook: &&Value| {
        let service = &webhook["clientConfig"]["service"];
        service["name"] == args.service && service["namespace"] == args.namespace
    };
    webhooks.filter(asks_us).collect()
}

/// The webhook's part of a patch, where one is needed.
fn change(webhook: &Value, ca: &str, alone: bool) -> Option<Value> {
    let bundle = STANDARD.encode(bundle::with(&ca_bundle(webhook), ca, alone)?);
    Some(json!({"name": webhook["name"], "clientConfig": {"caBundle": bundle}}))
}

fn ca_bundle(webhook: &Value) -> Vec<u8> {
    let bundle = webhook["clientConfig"]["caBundle"].as_str().unwrap_or_default();
    STANDARD.decode(bundle).unwrap_or_default()
}
