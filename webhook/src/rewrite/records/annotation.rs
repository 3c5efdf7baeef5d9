//! What the variable cannot say of the original probes, kept in an annotation of the pod.
//!
//! A JSON object. Under a probe's path it has the members that the rewrite replaced, as they were (see
//! [`original`](super::original)); under `agent`, that the agent's container was put in and is not the
//! user's own; under `pullSecret`, the name of the Secret that came with it.

use std::collections::BTreeMap;

use serde_json::value::{RawValue, to_raw_value};

use super::original::Original;
use crate::rewrite::read::JsonObject;
use crate::rewrite::status::STATUS_ANNOTATION;

/// The annotation's name.
pub const RESTORE_ANNOTATION: &str = "app-health/restore";

/// The API server refuses a pod whose annotations, names and values, have more bytes than this.
pub const LARGEST_ANNOTATIONS: usize = 262_144;

const AGENT: &str = "agent";
const PULL_SECRET: &str = "pullSecret";

/// Once there was kept under these whether something had been empty rather than absent.
const FORMER: [&str; 3] = ["env", "annotations", "metadata"];

/// Two quotes, a colon, a comma.
const ENTRY_OVERHEAD: usize = 4;

/// Probes leave room for `"agent":true,`.
const ROOM_FOR_AGENT: usize = AGENT.len() + "true".len() + ENTRY_OVERHEAD;

/// The annotation's entries.
#[derive(Default)]
pub struct Kept {
    entries: BTreeMap<String, Box<RawValue>>,
    /// Bytes of the pod's other annotations but the mark, which gives way.
    others: usize,
    pub changed: bool,
    /// The annotation is there, but it is no JSON object, and counts for nothing.
    pub is_unreadable: bool,
}

impl Kept {
    pub fn read(annotations: Option<&JsonObject>) -> Self {
        let mut kept = Kept::default();
        for (key, value) in annotations.into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            if key == RESTORE_ANNOTATION {
                kept.read_entries(text);
            } else if key != STATUS_ANNOTATION {
                kept.others += key.len() + text.len();
            }
        }
        kept
    }

    fn read_entries(&mut self, text: &str) {
        match serde_json::from_str(text) {
            Ok(entries) => self.entries = entries,
            Err(_) => self.is_unreadable = !text.is_empty(),
        }
        for key in FORMER {
            self.changed |= self.entries.remove(key).is_some();
        }
    }

    /// Whether the annotations still have no more bytes than the API server takes, if this is kept of the
    /// probe that has this path.
    pub fn fits(&self, path: &str, original: Option<&RawValue>) -> bool {
        let fits = |it| self.size_with(path, it) + ROOM_FOR_AGENT <= LARGEST_ANNOTATIONS;
        original.is_none_or(fits)
    }

    /// Keeps this, or nothing, of the probe that has this path.
    pub fn set(&mut self, path: &str, original: Option<Box<RawValue>>) {
        match original {
            Some(original) => self.put(path, original),
            None => drop(self.remove(path)),
        }
    }

    /// What is kept of the probe that has this path. It is kept no longer.
    pub fn take(&mut self, path: &str) -> Option<Original> {
        Original::read(self.remove(path)?.get())
    }

    /// Notes that the agent's container is put in.
    pub fn note_agent(&mut self) {
        self.note(AGENT, &true);
    }

    /// Whether the agent's container was put in, and so is to be taken out.
    pub fn take_agent(&mut self) -> bool {
        self.remove(AGENT).is_some_and(|noted| noted.get() == "true")
    }

    /// Notes that the Secret of this name is put in with the agent.
    pub fn note_pull_secret(&mut self, name: &str) {
        self.note(PULL_SECRET, &name);
    }

    /// The name of the Secret that was put in, and so is to be taken out.
    pub fn take_pull_secret(&mut self) -> Option<String> {
        serde_json::from_str(self.remove(PULL_SECRET)?.get()).ok()
    }

    /// The annotation's value; `None` where there is nothing to keep.
    pub fn text(&self) -> Option<String> {
        // A map of text cannot fail.
        (!self.entries.is_empty()).then(|| serde_json::to_string(&self.entries).unwrap_or_default())
    }

    fn note(&mut self, key: &str, value: &impl serde::Serialize) {
        // Neither a text nor a truth value can fail.
        let Ok(value) = to_raw_value(value) else { return };
        if self.size_with(key, &value) <= LARGEST_ANNOTATIONS {
            self.put(key, value);
        }
    }

    fn put(&mut self, key: &str, value: Box<RawValue>) {
        if self.entries.get(key).is_none_or(|old| old.get() != value.get()) {
            self.entries.insert(key.to_owned(), value);
            self.changed = true;
        }
    }

    fn remove(&mut self, key: &str) -> Option<Box<RawValue>> {
        let value = self.entries.remove(key)?;
        self.changed = true;
        Some(value)
    }

    /// Bytes of all annotations, if this one had such an entry.
    fn size_with(&self, key: &str, value: &RawValue) -> usize {
        let length = |key: &str, value: &RawValue| key.len() + value.get().len() + ENTRY_OVERHEAD;
        let others = self.entries.iter().filter(|(it, _)| *it != key);
        let entries: usize = others.map(|(key, value)| length(key, value)).sum();
        self.others + RESTORE_ANNOTATION.len() + "{}".len() + entries + length(key, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_put_last() {
        let raw = |text: &str| Some(RawValue::from_string(text.to_owned()).unwrap());
        let mut kept = Kept::default();
        for (original, changed, text) in [
            (raw("{}"), true, Some(r#"{"/a":{}}"#)),
            (raw("{}"), false, Some(r#"{"/a":{}}"#)),
            (raw("[]"), true, Some(r#"{"/a":[]}"#)),
            (None, true, None),
            (None, false, None),
        ] {
            kept.changed = false;
            kept.set("/a", original);
            assert_eq!((kept.changed, kept.text().as_deref()), (changed, text));
        }
    }
}
