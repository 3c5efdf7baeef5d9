//! Labels and annotations: how they are read, and set by a patch.

use serde_json::{Value, json};

use crate::patch::{Operation, Pointer};
use crate::rewrite::{JsonObject, LARGEST_ANNOTATIONS, Malformed, Node, Pod};

const METADATA: &str = "metadata";

/// Bytes for the annotations of Istio's injector, of the rewrite and of others after these.
const RESERVE: usize = 8192;

/// A pod, of which only the metadata may change.
pub struct Subject<'a> {
    pub pod: Pod<'a>,
    value: &'a Value,
    labels: Option<&'a JsonObject>,
}

/// Labels and annotations that a pod is to have and has not.
#[derive(Default)]
pub struct Changes {
    labels: JsonObject,
    annotations: JsonObject,
}

impl<'a> Subject<'a> {
    /// # Errors
    /// A value of the pod has a type that no pod can have.
    pub fn read(pod: &'a Value, sidecars: &[String]) -> Result<Self, Malformed> {
        let root = Node::root(pod);
        let mut labels = None;
        if let Some(metadata) = root.member(METADATA)? {
            labels = metadata.texts("labels")?;
        }
        Ok(Self { pod: Pod::read(pod, sidecars)?, value: pod, labels })
    }

    /// A text below this; none where it is anything else.
    pub fn text(&self, at: &Pointer) -> Option<&'a str> {
        self.value.pointer(&at.to_string())?.as_str()
    }

    /// A label; an empty one is as good as none.
    pub fn label(&self, name: &str) -> Option<&'a str> {
        self.label_text(name).filter(|text| !text.is_empty())
    }

    /// An annotation; an empty one is as good as none.
    pub fn annotation(&self, name: &str) -> Option<&'a str> {
        self.annotation_text(name).filter(|text| !text.is_empty())
    }

    /// A label's text, which may be empty.
    pub fn label_text(&self, name: &str) -> Option<&'a str> {
        self.labels?.get(name)?.as_str()
    }

    /// An annotation's text, which may be empty.
    pub fn annotation_text(&self, name: &str) -> Option<&'a str> {
        self.pod.annotations?.get(name)?.as_str()
    }

    /// Whether the API server takes the annotations, names and values, with the changes and with what
    /// others add to them.
    pub fn has_room(&self, changes: &Changes) -> bool {
        let stays = |key: &str| !changes.annotations.contains_key(key);
        let others = self.pod.annotations.into_iter().flatten().filter(|(key, _)| stays(key));
        let all = others.chain(&changes.annotations);
        let size = all.map(|(key, value)| key.len() + value.as_str().map_or(0, str::len));
        size.sum::<usize>() + RESERVE <= LARGEST_ANNOTATIONS
    }

    /// The changes as a patch.
    pub fn patch(&self, changes: Changes) -> Vec<Operation> {
        let at = Pointer::root().key(METADATA);
        let mut patch = Vec::new();
        for (field, before, new) in [
            ("labels", self.labels, changes.labels),
            ("annotations", self.pod.annotations, changes.annotations),
        ] {
            if new.is_empty() {
                continue;
            }
            if patch.is_empty() && !self.pod.has_metadata {
                patch.push(Operation::Add(at.clone(), json!({})));
            }
            match before {
                None => patch.push(Operation::Add(at.key(field), new.into())),
                Some(_) => patch.extend(
                    new.into_iter().map(|(key, it)| Operation::Add(at.keys(&[field, &key]), it)),
                ),
            }
        }
        patch
    }
}

impl Changes {
    pub fn label(&mut self, name: &str, value: &str) {
        self.labels.insert(name.to_owned(), value.into());
    }

    pub fn annotation(&mut self, name: &str, value: impl Into<Value>) {
        self.annotations.insert(name.to_owned(), value.into());
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.annotations.is_empty()
    }
}
