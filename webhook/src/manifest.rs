//! Where the pods are in a manifest.

use serde_json::Value;

use crate::handler::HandlerKind;
use crate::patch::Pointer;
use crate::path::ProbeKind;
use crate::rewrite::{Malformed, Node};

/// An object of a manifest: the manifest itself, or an item of the list that it is.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    value: &'a Value,
    api_version: &'a str,
    kind: &'a str,
}

/// A pod, or a pod template, within a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct PodAt<'a> {
    /// Where in the manifest it stands: `/spec/template`, or `` for a Pod.
    pub pointer: Pointer,
    /// The object that holds it: a list's item, else the manifest itself.
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
    Object::new(manifest).owner()
}

/// The pods of all objects of a manifest.
///
/// # Errors
/// The items of a list are no array, or what leads to a pod, or the pod itself, is no object.
pub fn pods(manifest: &Value) -> Result<Vec<PodAt<'_>>, Malformed> {
    let mut pods = Vec::new();
    for (at, object) in objects(manifest)? {
        let pod = object
            .pod()
            .map_err(|malformed| Malformed { at: at.join(&malformed.at), ..malformed })?;
        pods.extend(pod.map(|pod| PodAt { pointer: at.join(&pod.pointer), ..pod }));
    }
    Ok(pods)
}

/// The objects of a manifest, each with its place: the items of a list, else the manifest itself.
///
/// # Errors
/// The items of a list are no array.
pub fn objects(manifest: &Value) -> Result<Vec<(Pointer, Object<'_>)>, Malformed> {
    if !is_list(manifest) {
        return Ok(vec![(Pointer::root(), Object::new(manifest))]);
    }
    let node = Node::root(manifest);
    let Some(items) = node.member("items")? else { return Ok(Vec::new()) };
    let mut objects = Vec::new();
    for (index, item) in items.items()?.enumerate() {
        let at = Pointer::root().key("items").index(index);
        objects.push((at, Object::item(manifest, item.value)));
    }
    Ok(objects)
}

/// A `List`, as `kubectl get -o yaml` makes them, or one of a kind, such as a `PodList`. A list
/// within another is none: what it holds is passed through.
pub fn is_list(manifest: &Value) -> bool {
    match text(manifest, "kind") {
        "List" => text(manifest, "apiVersion") == "v1",
        kind => kind.ends_with("List") && manifest.get("items").is_some_and(Value::is_array),
    }
}

impl<'a> Object<'a> {
    /// An object that says what it is.
    fn new(value: &'a Value) -> Self {
        Self { value, api_version: text(value, "apiVersion"), kind: text(value, "kind") }
    }

    /// An item of `list`, whose own items need not be there. What a `PodList` holds are Pods, which
    /// then mostly do not say so themselves.
    pub fn item(list: &'a Value, item: &'a Value) -> Self {
        let mut object = Self::new(item);
        let kind = text(list, "kind").strip_suffix("List").unwrap_or_default();
        if object.kind.is_empty() && !kind.is_empty() {
            (object.api_version, object.kind) = (text(list, "apiVersion"), kind);
        }
        object
    }

    /// All of it.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// What it is: its API group (of the core's objects `v1`), and its kind.
    pub fn group_kind(&self) -> (&'a str, &'a str) {
        let group = self.api_version.split_once('/').map_or(self.api_version, |(group, _)| group);
        (group, self.kind)
    }

    /// What names it.
    pub fn owner(&self) -> Owner<'a> {
        let metadata = |key| self.value.get("metadata").map_or("", |it| text(it, key));
        let name = Some(metadata("name")).filter(|name| !name.is_empty());
        Owner {
            kind: self.kind,
            namespace: metadata("namespace"),
            name: name.unwrap_or_else(|| metadata("generateName")),
        }
    }

    /// Its pod, with the place within the object: of Kubernetes' own workloads, and of any other
    /// object that has `spec.template.spec.containers`, as an Argo Rollout has.
    ///
    /// # Errors
    /// What leads to it, or the pod itself, is no object.
    pub fn pod(&self) -> Result<Option<PodAt<'a>>, Malformed> {
        let containers = || self.value.pointer("/spec/template/spec/containers");
        let keys: &[&str] = match self.template_keys() {
            Some(keys) => keys,
            None if containers().is_some_and(|it| !it.is_null()) => &["spec", "template"],
            None => return Ok(None),
        };
        let found = descend(&Node::root(self.value), keys, Pointer::root())?;
        Ok(found.map(|(pod, pointer)| PodAt { pointer, owner: self.owner(), pod }))
    }

    /// Whether its kind is one of Kubernetes' own workloads. Others may only look like one.
    pub fn is_workload(&self) -> bool {
        self.template_keys().is_some()
    }

    /// The first thing in it that looks like a probe or hook that asks a port, wherever it stands.
    pub fn first_probe(&self) -> Option<Pointer> {
        find_probe(self.value)
    }

    /// Where an object of this kind holds its pod. The API group counts: others have kinds named
    /// Job.
    fn template_keys(&self) -> Option<&'static [&'static str]> {
        match self.group_kind() {
            ("v1", "Pod") => Some(&[]),
            ("v1", "PodTemplate") => Some(&["template"]),
            ("v1", "ReplicationController")
            | ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
            | ("batch", "Job") => Some(&["spec", "template"]),
            ("batch", "CronJob") => Some(&["spec", "jobTemplate", "spec", "template"]),
            _ => None,
        }
    }
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

fn find_probe(value: &Value) -> Option<Pointer> {
    match value {
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            let place = Pointer::root().key(name);
            if is_probe(name, value) {
                return Some(place);
            }
            find_probe(value).map(|inner| place.join(&inner))
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| Some(Pointer::root().index(index).join(&find_probe(item)?))),
        _ => None,
    }
}

/// The schema of a probe, which a CustomResourceDefinition has, is none.
fn is_probe(name: &str, value: &Value) -> bool {
    let asks =
        |it: &HandlerKind| it.asks_port() && value.get(it.field()).is_some_and(Value::is_object);
    ProbeKind::ALL.iter().any(|kind| kind.field() == name) && HandlerKind::ALL.iter().any(asks)
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_workload_is_one_of_kubernetes_own() {
        for (api_version, kind, is_workload) in [
            ("v1", "Pod", true),
            ("v1", "PodTemplate", true),
            ("apps/v1", "Deployment", true),
            ("batch/v1", "CronJob", true),
            ("argoproj.io/v1alpha1", "Rollout", false),
            ("example.com/v1", "Job", false),
        ] {
            let value = json!({"apiVersion": api_version, "kind": kind});
            let objects = objects(&value).unwrap();
            let [(_, object)] = &objects[..] else { panic!("one object") };
            assert_eq!(object.is_workload(), is_workload, "{kind}");
            assert_eq!(object.value(), &value);
        }
    }

    #[test]
    fn what_looks_like_a_probe_is_found_wherever_it_stands() {
        let asks = json!({"httpGet": {"port": 80}});
        for (value, place) in [
            (json!({"livenessProbe": asks}), Some("/livenessProbe")),
            (json!({"preStop": asks}), Some("/preStop")),
            (json!({"a": 1, "b": [2, {"c": {"startupProbe": asks}}]}), Some("/b/1/c/startupProbe")),
            (json!({"livenessProbe": {"exec": {"command": ["x"]}}}), None),
            (json!({"livenessProbe": {"properties": {"httpGet": {"type": "object"}}}}), None),
            (json!({"livenessProbe": {"httpGet": "x"}}), None),
            (json!({"other": asks}), None),
            (json!([]), None),
        ] {
            let found = find_probe(&value).map(|pointer| pointer.to_string());
            assert_eq!(found.as_deref(), place, "{value}");
        }
    }
}
