//! Which findings a MutatingWebhookConfiguration has, and the webhook's Deployment.

use app_health_webhook::manifest::Object;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::finding::{Code, Finding, Place};
use super::surroundings::own_webhooks;
use crate::logger::timestamp;
use crate::webhook::certificate::Validity;

/// From when on an end is near. What renews itself does so 30 days before, as cert-manager does with
/// the webhook's certificate, so that a CA which is nearer to its end waits for a person.
const NEAR: Duration = Duration::days(30);

/// What is wrong with the CAs of this project's webhooks in it.
pub fn findings(object: &Object<'_>, now: OffsetDateTime) -> Vec<Finding> {
    // Before it is applied, the CA is left to `certs` or to cert-manager.
    let exists = object.value().pointer("/metadata/uid").is_some();
    let problems = own_webhooks(object).filter_map(|(name, webhook)| {
        let (code, problem) = problem(webhook.get("clientConfig")?, exists, now)?;
        let message = format!("caBundle of {name}: {problem}");
        Some(Finding::new(code, &Place::of(&object.owner()), None, message))
    });
    problems.collect()
}

/// A Deployment of the webhook, as it ships, that has no pod to be asked.
pub fn without_pods(object: &Object<'_>) -> Option<Finding> {
    let (value, is_deployment) = (object.value(), object.group_kind() == ("apps", "Deployment"));
    let containers = value.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    if !is_deployment || !containers.is_some_and(|all| all.iter().any(is_webhook)) {
        return None;
    }
    let replicas = value.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    let available = value.pointer("/status/availableReplicas").and_then(Value::as_u64);
    let exists = value.pointer("/metadata/uid").is_some();
    (replicas == 0 || exists && available.unwrap_or(0) == 0).then(|| {
        let message = format!("replicas: {replicas}, available: {}", available.unwrap_or(0));
        Finding::new(Code::NoWebhook, &Place::of(&object.owner()), None, message)
    })
}

fn is_webhook(container: &Value) -> bool {
    let env = container.get("env").and_then(Value::as_array).into_iter().flatten();
    let mut names = env.filter_map(|it| it.get("name")?.as_str());
    let command = container.pointer("/args/0").and_then(Value::as_str);
    command == Some("webhook") && names.any(|name| name.starts_with("APP_HEALTH_"))
}

fn problem(client: &Value, exists: bool, now: OffsetDateTime) -> Option<(Code, String)> {
    let bundle = client.get("caBundle").and_then(Value::as_str).unwrap_or_default();
    if bundle.is_empty() {
        // By a URL it is reached by the CAs of the API server's system.
        let needed = exists && client.get("service").is_some();
        return needed.then(|| (Code::NoCa, "empty".to_owned()));
    }
    match read(bundle) {
        Err(problem) => Some((Code::CaInvalid, problem)),
        Ok(validity) => match validity.problem(now) {
            Some(problem) => Some((Code::CaInvalid, problem)),
            None if validity.expires - now <= NEAR => {
                Some((Code::CaEnds, format!("ends at {}", timestamp(validity.expires))))
            }
            None => None,
        },
    }
}

/// That of its certificates which is valid longest: while a CA is replaced, both are there.
fn read(bundle: &str) -> Result<Validity, String> {
    let pem = STANDARD.decode(bundle).map_err(|_| "not base64".to_owned())?;
    let all = CertificateDer::pem_slice_iter(&pem).map(|certificate| {
        Validity::of_one(&certificate.map_err(|error| format!("no certificate in PEM: {error}"))?)
    });
    let all = all.collect::<Result<Vec<_>, _>>()?;
    let longest = all.into_iter().max_by_key(|validity| validity.expires);
    longest.ok_or_else(|| "no certificate in PEM in it".to_owned())
}
