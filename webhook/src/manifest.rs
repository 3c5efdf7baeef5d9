//! Where the pods are in a manifest.

use serde_json::Value;

use crate::patch::Pointer;
use crate::rewrite::Malformed;
use crate::rewrite::node::Node;

/// A pod, or a pod template, within a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct PodAt<'a> {
    /// Where in the manifest it stands: `/spec/template`, or `` for a Pod.
    pub pointer: Pointer,
    /// The object that holds it: a `List`'s item, else the manifest itself.
    pub owner: Owner<'a>,
    /// `metadata` and `spec`.
    pub pod: &'a Value,
}

/// What names an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    /// `Deployment`
    pub kind: &'a str,
    /// Empty where it has none.
    pub namespace: &'a str,
    /// `metadata.name`, else `metadata.generateName`, else empty.
    pub name: &'a str,
}

/// The owner that a manifest is, whatever its kind.
pub fn owner(manifest: &Value) -> Owner<'_> {
    let metadata = |key: &str| text(manifest.get("metadata").and_then(|m| m.get(key)));
    let name = Some(metadata("name")).filter(|name| !name.is_empty());
    Owner {
        kind: text(manifest.get("kind")),
        namespace: metadata("namespace"),
        name: name.unwrap_or_else(|| metadata("generateName")),
    }
}

/// The pods of a Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job,
/// CronJob, or a List of these; none of anything else.
pub fn pods(manifest: &Value) -> Result<Vec<PodAt<'_>>, Malformed> {
    let mut pods = Vec::new();
    let node = Node::root(manifest);
    if is_list(manifest) {
        if let Some(items) = node.member("items")? {
            for (index, item) in items.items()?.enumerate() {
                let at = Pointer::root().key("items").index(index);
                pods.extend(pod(&item, &at)?);
            }
        }
    } else {
        pods.extend(pod(&node, &Pointer::root())?);
    }
    Ok(pods)
}

/// The pod of an object that is an item of a List: as [`pods`], but none where it is a List itself.
pub fn item_pod(object: &Value) -> Result<Option<PodAt<'_>>, Malformed> {
    pod(&Node::root(object), &Pointer::root())
}

/// `kubectl get -o yaml` makes such lists. One within another is passed through.
fn is_list(manifest: &Value) -> bool {
    text(manifest.get("apiVersion")) == "v1" && text(manifest.get("kind")) == "List"
}

/// The pod of one object, which stands at `at`.
fn pod<'a>(object: &Node<'a, '_>, at: &Pointer) -> Result<Option<PodAt<'a>>, Malformed> {
    let keys = template_keys(object.value);
    let (Some(keys), Some(_)) = (keys, object.value.as_object()) else { return Ok(None) };
    let found = descend(object, keys, at.clone())?;
    let owner = owner(object.value);
    Ok(found.map(|(pod, pointer)| PodAt { pointer, owner, pod }))
}

/// What the keys lead to; `None` where one of them leads to nothing.
fn descend<'a>(
    from: &Node<'a, '_>,
    keys: &[&str],
    at: Pointer,
) -> Result<Option<(&'a Value, Pointer)>, Malformed> {
    let Some((key, rest)) = keys.split_first() else {
        return from.object().map(|_| Some((from.value, at)));
    };
    match from.member(key)? {
        Some(node) => descend(&node, rest, at.key(key)),
        None => Ok(None),
    }
}

/// Where an object of this kind holds its pod. The API group counts: others have kinds named Job.
fn template_keys(object: &Value) -> Option<&'static [&'static str]> {
    let api_version = text(object.get("apiVersion"));
    let group = api_version.split_once('/').map_or(api_version, |(group, _)| group);
    match (group, text(object.get("kind"))) {
        ("v1", "Pod") => Some(&[]),
        ("v1", "ReplicationController")
        | ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job") => Some(&["spec", "template"]),
        ("batch", "CronJob") => Some(&["spec", "jobTemplate", "spec", "template"]),
        _ => None,
    }
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}
