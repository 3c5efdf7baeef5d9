//! Has the API server take certificates of a CA: the caBundle of each webhook that asks the Service.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::api::{Api, Stop};
use super::apply::{Run, say};
use super::args::CertsArgs;
use super::bundle;

/// What is applied together comes within it: a configuration may be later than the run.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked for.
const AGAIN: Duration = Duration::from_secs(1);

impl Run<'_> {
    /// In all configurations, so that each caBundle has the CA of this Secret, or no other. How many
    /// webhooks have it then.
    ///
    /// # Errors
    /// [`Stop`]
    pub async fn trust(&self, secret: &Value, ca: &str, alone: bool) -> Result<usize, Stop> {
        let names: BTreeSet<_> =
            self.args.webhooks().into_iter().map(|it| it.configuration).collect();
        let deadline = Instant::now() + PATIENCE;
        let mut trusting = 0;
        for name in names {
            let path = format!(
                "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{name}"
            );
            let Some(configuration) = wait_for(&self.api, &path, deadline).await? else {
                say(&format!("MutatingWebhookConfiguration {name}: not there, left out"));
                continue;
            };
            let ours = asking(&configuration, self.args);
            trusting += ours.len();
            let changes: Vec<_> = ours.iter().filter_map(|it| change(it, ca, alone)).collect();
            if !changes.is_empty() {
                // Else it might take out the CA of a Secret that was changed meanwhile.
                self.expect_unchanged(secret).await?;
                let count = changes.len();
                let version = &configuration["metadata"]["resourceVersion"];
                let metadata = json!({"resourceVersion": version});
                self.api.patch(&path, &json!({"metadata": metadata, "webhooks": changes})).await?;
                say(&format!("MutatingWebhookConfiguration {name}: caBundle of {count} set"));
            }
        }
        Ok(trusting)
    }
}

async fn wait_for(api: &Api, path: &str, deadline: Instant) -> Result<Option<Value>, Stop> {
    loop {
        let object = api.get(path).await?;
        if object.is_some() || Instant::now() >= deadline {
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
    let bundle = webhook["clientConfig"]["caBundle"].as_str().unwrap_or_default();
    let bundle = STANDARD.decode(bundle).unwrap_or_default();
    let bundle = STANDARD.encode(bundle::with(&bundle, ca, alone)?);
    Some(json!({"name": webhook["name"], "clientConfig": {"caBundle": bundle}}))
}
