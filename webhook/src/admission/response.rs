//! The answer's text.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::patch::Operation;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: Annotations,
}

/// The API server puts the webhook's name and a slash in front of each key, and takes what is then a
/// qualified name: up to 63 letters, digits, `-`, `_` and `.`.
///
/// The API server takes none of a key that it has another value of, and warns: so nothing is said in a
/// second call for a pod.
pub(super) type Annotations = BTreeMap<&'static str, String>;

/// The answer about a pod. The warnings have their lengths already.
pub(super) fn of_pod(
    uid: &str,
    patch: &[Operation],
    audit_annotations: Annotations,
    warnings: &[String],
) -> String {
    let patch = (!patch.is_empty()).then(|| STANDARD.encode(text(&patch)));
    text(&review(Response {
        uid,
        patch_type: patch.as_ref().map(|_| "JSONPatch"),
        patch,
        warnings,
        audit_annotations,
        ..Response::default()
    }))
}

/// The answer about anything else.
pub(super) fn untouched(uid: &str) -> String {
    text(&review(Response { uid, ..Response::default() }))
}

fn review(response: Response<'_>) -> Review<'_> {
    Review {
        api_version: "admission.k8s.io/v1",
        kind: "AdmissionReview",
        response: Response { allowed: true, ..response },
    }
}

/// Nothing here has a key that is no text, the only thing that could fail.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
