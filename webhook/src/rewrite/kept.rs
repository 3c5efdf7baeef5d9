//! What the variable cannot say of the original probes, kept in an annotation of the pod.
//!
//! A JSON object. Under a probe's path: the members that the rewrite replaced, as they were (see
//! [`members`]). Under `env`, `annotations` and `metadata`: what the sidecar's env and the pod's
//! own were where they were empty or null, rather than absent. Under `agent`: that the agent's
//! container was put in, and is not the user's own; under `pullSecret` that of the Secret which came
//! with it.

use std::io;

use serde_json::Value;

use super::members;
use super::node::JsonObject;
use super::pod::Pod;
use crate::patch::{Operation, Pointer};

/// The annotation's name.
pub const RESTORE_ANNOTATION: &str = "app-health/restore";

/// The API server refuses a pod whose annotations, names and values, have more bytes than this.
const LARGEST_ANNOTATIONS: usize = 262_144;

const AGENT: &str = "agent";
const PULL_SECRET: &str = "pullSecret";
const ENV: &str = "env";
const ANNOTATIONS: &str = "annotations";
const METADATA: &str = "metadata";

/// Room for what is kept under these: `"agent":true,"annotations":null,"env":null,"metadata":null,`.
const ROOM_FOR_EMPTY: usize = 80;

pub(super) struct Kept<'a> {
    metadata: Option<&'a Value>,
    annotations: Option<&'a JsonObject>,
    entries: JsonObject,
    /// Bytes of all annotations, this one as it would be written.
    size: usize,
    changed: bool,
    /// The annotation is there, but it is no JSON object, and counts for nothing.
    pub unreadable: bool,
}

impl<'a> Kept<'a> {
    pub fn open(pod: &Pod<'a>) -> Self {
        let mut kept = Kept {
            metadata: pod.metadata,
            annotations: pod.annotations,
            entries: JsonObject::new(),
            size: RESTORE_ANNOTATION.len() + "{}".len() + ROOM_FOR_EMPTY,
            changed: false,
            unreadable: false,
        };
        for (key, value) in pod.annotations.into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            if key == RESTORE_ANNOTATION {
                kept.read(text);
            } else {
                kept.size += key.len() + text.len();
            }
        }
        kept
    }

    fn read(&mut self, text: &str) {
        match serde_json::from_str(text) {
            Ok(Value::Object(entries)) => {
                self.entries = entries;
                self.size += text.len();
            }
            _ => self.unreadable = !text.is_empty(),
        }
    }

    /// The members of the probe that has this path, as they were.
    pub fn members(&self, path: &str) -> Option<&JsonObject> {
        self.entries.get(path)?.as_object().filter(|members| members::are_valid(members))
    }

    pub fn fits(&self, path: &str, members: &Value) -> bool {
        let replaced = self.entries.get(path).map_or(0, |old| written_length(path, old));
        self.size.saturating_sub(replaced) + written_length(path, members) <= LARGEST_ANNOTATIONS
    }

    pub fn insert(&mut self, path: &str, members: Value) {
        self.put(path, members);
    }

    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let value = self.entries.remove(key)?;
        self.size = self.size.saturating_sub(written_length(key, &value));
        self.changed = true;
        Some(value)
    }

    /// The sidecar's env was this when the variable came into it.
    pub fn note_env(&mut self, env: Option<&Value>) {
        match env.filter(|env| is_empty(env)) {
            Some(env) if self.size <= LARGEST_ANNOTATIONS => self.put(ENV, env.clone()),
            _ => {
                self.remove(ENV);
            }
        }
    }

    /// What the sidecar's env is to be now that the variable has left it empty.
    pub fn take_env(&mut self) -> Option<Value> {
        self.remove(ENV).filter(is_empty)
    }

    /// The agent's container is put in.
    pub fn note_agent(&mut self) {
        if self.size <= LARGEST_ANNOTATIONS {
            self.put(AGENT, Value::Bool(true));
        }
    }

    /// Whether the agent's container was put in, and so is to be taken out.
    pub fn take_agent(&mut self) -> bool {
        self.remove(AGENT) == Some(Value::Bool(true))
    }

    /// The Secret of this name is put in with the agent.
    pub fn note_pull_secret(&mut self, name: &str) {
        let name = Value::from(name);
        if self.size + written_length(PULL_SECRET, &name) <= LARGEST_ANNOTATIONS {
            self.put(PULL_SECRET, name);
        }
    }

    /// The name of the Secret that was put in, and so is to be taken out.
    pub fn take_pull_secret(&mut self) -> Option<String> {
        self.remove(PULL_SECRET)?.as_str().map(str::to_owned)
    }

    fn put(&mut self, key: &str, value: Value) {
        if self.entries.get(key) != Some(&value) {
            self.remove(key);
            self.size += written_length(key, &value);
            self.entries.insert(key.to_owned(), value);
            self.changed = true;
        }
    }

    /// A warning, where an annotation that cannot be read is about to be replaced.
    pub fn replaces_unreadable(&self) -> Option<String> {
        (self.unreadable && self.changed)
            .then(|| format!("annotation {RESTORE_ANNOTATION}: not a JSON object; it is replaced"))
    }

    /// Writes the annotation, or takes it away where nothing is left to keep.
    pub fn write(mut self, patch: &mut Vec<Operation>) {
        let there = self.annotations.is_some_and(|all| all.contains_key(RESTORE_ANNOTATION));
        let empty = self.entries.keys().all(|key| [ANNOTATIONS, METADATA].contains(&key.as_str()));
        match (self.changed, empty) {
            (true, false) => patch.push(self.addition()),
            (true, true) if there => patch.push(self.removal()),
            _ => {}
        }
    }

    fn addition(&mut self) -> Operation {
        let metadata = self.metadata.and_then(Value::as_object);
        if let Some(annotations) = self.annotations {
            if annotations.is_empty() {
                self.put(ANNOTATIONS, Value::Object(JsonObject::new()));
            }
            return Operation::Add(restore_at(), self.text());
        }
        if let Some(null) = metadata.and_then(|metadata| metadata.get(ANNOTATIONS)) {
            self.put(ANNOTATIONS, null.clone());
        } else if let Some(empty) = self.metadata.filter(|metadata| is_empty(metadata)) {
            self.put(METADATA, empty.clone());
        }
        let annotations = one(RESTORE_ANNOTATION, self.text());
        match metadata {
            Some(_) => Operation::Add(annotations_at(), annotations),
            None => Operation::Add(metadata_at(), one(ANNOTATIONS, annotations)),
        }
    }

    fn removal(&mut self) -> Operation {
        if self.annotations.is_some_and(|annotations| annotations.len() > 1) {
            return Operation::Remove(restore_at());
        }
        let metadata = self.metadata.and_then(Value::as_object);
        let alone = metadata.is_some_and(|metadata| metadata.len() == 1);
        match self.remove(ANNOTATIONS).filter(is_empty) {
            Some(empty) => Operation::Replace(annotations_at(), empty),
            None if !alone => Operation::Remove(annotations_at()),
            None => match self.remove(METADATA).filter(is_empty) {
                Some(empty) => Operation::Replace(metadata_at(), empty),
                None => Operation::Remove(metadata_at()),
            },
        }
    }

    fn text(&self) -> Value {
        // A map of text cannot fail.
        Value::String(serde_json::to_string(&self.entries).unwrap_or_default())
    }
}

fn metadata_at() -> Pointer {
    Pointer::root().key(METADATA)
}

fn annotations_at() -> Pointer {
    Pointer::root().keys(&[METADATA, ANNOTATIONS])
}

fn restore_at() -> Pointer {
    Pointer::root().keys(&[METADATA, ANNOTATIONS, RESTORE_ANNOTATION])
}

fn one(key: &str, value: Value) -> Value {
    Value::Object(JsonObject::from_iter([(key.to_owned(), value)]))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Two quotes, a colon, a comma.
const ENTRY_OVERHEAD: usize = 4;

fn written_length(key: &str, value: &Value) -> usize {
    let mut text = Length(0);
    // A value can always be written.
    let _ = serde_json::to_writer(&mut text, value);
    key.len() + ENTRY_OVERHEAD + text.0
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
