//! The pod's annotation that keeps what the variable cannot say.

use serde_json::Value;

use crate::patch::{Operation, Pointer};
use crate::rewrite::read::{JsonObject, Pod};
use crate::rewrite::records::{Kept, RESTORE_ANNOTATION};

/// Writes the annotation, or takes it away where nothing is left to keep.
pub fn write(pod: &Pod<'_>, kept: &Kept, patch: &mut Vec<Operation>) {
    if !kept.changed {
        return;
    }
    if kept.is_empty() {
        patch.extend(pod.annotations.and_then(removal));
    } else {
        patch.push(addition(pod, kept.text().into()));
    }
}

fn addition(pod: &Pod<'_>, text: Value) -> Operation {
    if pod.annotations.is_some() {
        return Operation::Add(annotations().key(RESTORE_ANNOTATION), text);
    }
    let all = one(RESTORE_ANNOTATION, text);
    if pod.has_metadata {
        Operation::Add(annotations(), all)
    } else {
        Operation::Add(metadata(), one("annotations", all))
    }
}

/// Where it is the only annotation, the list of them goes, too.
fn removal(all: &JsonObject) -> Option<Operation> {
    all.get(RESTORE_ANNOTATION)?;
    let at = annotations();
    Some(Operation::Remove(if all.len() == 1 { at } else { at.key(RESTORE_ANNOTATION) }))
}

fn metadata() -> Pointer {
    Pointer::root().key("metadata")
}

fn annotations() -> Pointer {
    metadata().key("annotations")
}

fn one(key: &str, value: Value) -> Value {
    Value::Object(JsonObject::from_iter([(key.to_owned(), value)]))
}
