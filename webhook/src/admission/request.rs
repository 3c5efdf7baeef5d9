//! Reading a review. What does not matter is skipped, whatever it is: managed fields, the old
//! object, the user, fields of a later Kubernetes.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::NoReview;
use crate::rewrite::quoted;

const VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Review<'a> {
    #[serde(borrow, default)]
    api_version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    request: Option<Request<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request<'a> {
    #[serde(borrow, default)]
    pub uid: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Option<GroupVersionKind<'a>>,
    #[serde(borrow, default)]
    sub_resource: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    operation: Option<Cow<'a, str>>,
    #[serde(default)]
    dry_run: Option<bool>,
    /// As it stands: it may be anything, of any depth.
    #[serde(borrow, default)]
    pub object: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct GroupVersionKind<'a> {
    #[serde(borrow, default)]
    group: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
}

impl Review<'_> {
    pub fn parse(body: &[u8]) -> Result<Request<'_>, NoReview> {
        if body.is_empty() {
            return Err(NoReview("the body is empty".to_owned()));
        }
        let review: Review<'_> = serde_json::from_slice(body).map_err(|error| unread(&error))?;
        review.check_type()?;
        let request = review.request.ok_or_else(|| NoReview("it has no request".to_owned()))?;
        if request.uid.is_empty() {
            return Err(NoReview("its request has no uid".to_owned()));
        }
        Ok(request)
    }

    fn check_type(&self) -> Result<(), NoReview> {
        let (version, kind) = (text(&self.api_version), text(&self.kind));
        if kind != KIND {
            return Err(NoReview(format!("its kind is {}, not {KIND:?}", quoted(kind))));
        }
        if version != VERSION {
            let problem = format!(
                "its apiVersion is {}, not {VERSION:?}: set admissionReviewVersions to [v1]",
                quoted(version)
            );
            return Err(NoReview(problem));
        }
        Ok(())
    }
}

/// The beginning of a request, and the key of its namespace, as Go writes them: fields in the order of
/// their declaration. What a pod says comes after both.
const UID: &[u8] = br#""request":{"uid":""#;
const NAMESPACE: &[u8] = br#""namespace":""#;

impl<'a> Request<'a> {
    /// The uid and the namespace alone, of a review that was cut off.
    pub fn beginning(text: &'a [u8]) -> Option<Self> {
        let (uid, rest) = string_after(UID, text)?;
        let namespace = string_after(NAMESPACE, rest).map(|(namespace, _)| namespace.into());
        Some(Self { uid: uid.into(), namespace, ..Self::default() })
    }
}

/// A string without escapes, and what follows it.
fn string_after<'a>(key: &[u8], text: &'a [u8]) -> Option<(&'a str, &'a [u8])> {
    let at = text.windows(key.len()).position(|it| it == key)?;
    let value = text.get(at + key.len()..)?;
    let end = value.iter().position(|byte| *byte == b'"')?;
    let (value, rest) = value.split_at(end);
    std::str::from_utf8(value).ok().filter(|it| !it.contains('\\')).map(|it| (it, rest))
}

impl Request<'_> {
    /// A pod itself, not one of its subresources.
    pub fn creates_pod(&self) -> bool {
        let is_pod = self.kind.as_ref().is_some_and(|kind| {
            (text(&kind.group), text(&kind.version), text(&kind.kind)) == ("", "v1", "Pod")
        });
        is_pod && text(&self.operation) == "CREATE" && text(&self.sub_resource).is_empty()
    }

    pub fn namespace(&self) -> &str {
        text(&self.namespace)
    }

    pub fn dry_run(&self) -> bool {
        self.dry_run == Some(true)
    }
}

fn text<'a>(text: &'a Option<Cow<'_, str>>) -> &'a str {
    text.as_deref().unwrap_or_default()
}

/// serde_json's text of a wrong type has the value in it.
fn unread(error: &serde_json::Error) -> NoReview {
    NoReview(if error.is_data() {
        let (line, column) = (error.line(), error.column());
        format!("a field of the wrong type, or twice the same, at line {line} column {column}")
    } else {
        error.to_string()
    })
}
