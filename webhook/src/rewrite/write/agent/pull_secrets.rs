//! The pod's `imagePullSecrets`: the Secret that the agent's image is pulled with.

use serde_json::json;

use crate::patch::{Operation, Pointer};
use crate::rewrite::read::{PULL_SECRETS, Pod};

/// The step that puts it in, where the pod does not name it yet.
pub fn addition(pod: &Pod<'_>, name: &str) -> Option<Operation> {
    let secret = json!({"name": name});
    match pod.pull_secrets.len() {
        _ if pod.pull_secrets.contains(&name) => None,
        0 => Some(Operation::Add(at(), json!([secret]))),
        length => Some(Operation::Add(at().index(length), secret)),
    }
}

/// The step that takes it out.
pub fn removal(pod: &Pod<'_>, name: &str) -> Option<Operation> {
    let index = pod.pull_secrets.iter().position(|secret| *secret == name)?;
    let alone = pod.pull_secrets.len() == 1;
    Some(Operation::Remove(if alone { at() } else { at().index(index) }))
}

fn at() -> Pointer {
    Pointer::root().keys(&["spec", PULL_SECRETS])
}
