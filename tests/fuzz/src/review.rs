//! An AdmissionReview, or what pretends to be one, to the answer.

use std::sync::Arc;

use app_health_webhook::admission::{NoReview, Task, admit, admit_too_large};
use app_health_webhook::injection::{Filter, Mesh};
use app_health_webhook::rewrite::{AgentOptions, Options};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::{memory, seeds};

/// What a review may take, beside so much of each of its bytes: a review of 1 MiB takes 97.
const LEAST: usize = 1 << 20;
const PER_BYTE: usize = 200;

pub fn target(data: &[u8]) {
    let agent = Some(AgentOptions::new("agent"));
    let options = Options { agent, ..Options::default() };
    let revision = "default".parse().expect("a revision");
    let filter =
        Filter { revision, mesh: Arc::new(Mesh::default()), read_yaml: app_health_agent::value };
    for task in [Task::Rewrite, Task::Switch, Task::Filter(filter)] {
        let (answer, peak) = memory::peak(|| admit(data, &task, &options));
        let most = LEAST + PER_BYTE * data.len();
        assert!(peak <= most, "{peak} bytes of memory for {} of the review", data.len());
        match answer {
            Ok(admission) => is_an_answer(&admission.body, data),
            Err(error) => is_none(&error, data, &task, &options),
        }
        if let Ok(admission) = admit_too_large(data, data.len(), &task) {
            let answer: Value = serde_json::from_str(&admission.body).expect("JSON");
            assert_eq!(answer["response"]["allowed"], true);
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    seeds::reviews().into_iter().map(String::into_bytes).collect()
}

/// No review is refused, unless a field stands there twice, which serde_json takes for a `Value`.
fn is_none(error: &NoReview, data: &[u8], task: &Task, options: &Options) {
    let Some(review) = serde_json::from_slice(data).ok().filter(is_review) else { return };
    assert!(error.to_string().contains("twice the same"), "{error}: {review}");
    let once = review.to_string();
    assert!(admit(once.as_bytes(), task, options).is_ok(), "{once}");
}

/// Whether all that is read of a review is there, and of the type that the API gives it.
fn is_review(review: &Value) -> bool {
    let request = &review["request"];
    let is_text = |value: &Value| value.is_null() || value.is_string();
    review["apiVersion"] == "admission.k8s.io/v1"
        && review["kind"] == "AdmissionReview"
        && request["uid"].as_str().is_some_and(|uid| !uid.is_empty())
        && ["subResource", "namespace", "operation"].iter().all(|name| is_text(&request[name]))
        && (request["kind"].is_null() || request["kind"].is_object())
        && ["group", "version", "kind"].iter().all(|name| is_text(&request["kind"][name]))
        && (request["dryRun"].is_null() || request["dryRun"].is_boolean())
}

/// The pod is let in, by the review's own uid, and as no API server refuses it: its patch fits.
fn is_an_answer(body: &str, review: &[u8]) {
    let answer: Value = serde_json::from_str(body).expect("JSON");
    let response = &answer["response"];
    assert_eq!(response["allowed"], true, "{body}");
    for warning in response["warnings"].as_array().into_iter().flatten() {
        let warning = warning.as_str().expect("a text");
        assert!(
            warning.chars().count() <= 120 && !warning.contains(char::is_control),
            "{warning:?}"
        );
    }
    let Ok(review) = serde_json::from_slice::<Value>(review) else { return };
    assert_eq!(response["uid"], review["request"]["uid"], "{body}");
    if let Some(patch) = response["patch"].as_str() {
        let patch = STANDARD.decode(patch).expect("base64");
        let patch: json_patch::Patch = serde_json::from_slice(&patch).expect("a JSON Patch");
        let mut pod = review["request"]["object"].clone();
        json_patch::patch(&mut pod, &patch).expect("it fits");
    }
}
