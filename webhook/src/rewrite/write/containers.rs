//! Containers put into a pod, and taken out.

use serde_json::{Value, json};

use crate::patch::Operation;
use crate::rewrite::read::{Container, List, Pod};

/// Inserts a container at `index` of a list, or at the end where the list is shorter.
pub fn insert(pod: &Pod<'_>, list: List, index: usize, container: Value) -> Operation {
    match pod.length(list) {
        0 => Operation::Add(list.pointer(), json!([container])),
        length => Operation::Add(list.pointer().index(index.min(length)), container),
    }
}

/// Inserts a container as a native sidecar, which does not keep the pod from ending.
pub fn insert_native(pod: &Pod<'_>, index: usize, mut container: Value) -> Operation {
    container["restartPolicy"] = "Always".into();
    insert(pod, List::Init, index, container)
}

/// Takes a container out, and with it a list that holds nothing else.
pub fn remove(pod: &Pod<'_>, container: &Container<'_>) -> Operation {
    let alone = pod.length(container.list) == 1;
    Operation::Remove(if alone { container.list.pointer() } else { container.pointer() })
}
