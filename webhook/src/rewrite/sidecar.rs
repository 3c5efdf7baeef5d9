//! A minimal sidecar, so that the rewrite of a plain Deployment can be tried out.

use serde_json::{Value, json};

use super::Malformed;
use super::node::Node;
use crate::patch::{Operation, Pointer};

const IMAGE: &str = "envoyproxy/envoy:distroless-v1.40-latest";

/// The patch that gives a pod without a sidecar a minimal one of this name, to try a rewrite out.
///
/// A pod that comes to an end (`restartPolicy` other than Always) gets a native sidecar, which
/// does not keep it from ending.
pub fn add_sidecar(pod: &Value, name: &str) -> Result<Vec<Operation>, Malformed> {
    let pod = Node::root(pod);
    let Some(spec) = pod.member("spec")? else { return Ok(Vec::new()) };
    for list in ["initContainers", "containers"] {
        if has_container(&spec, list, name)? {
            return Ok(Vec::new());
        }
    }
    let ends = spec.text("restartPolicy")?.is_some_and(|policy| policy != "Always");
    let operation = if ends {
        let sidecar = json!({"name": name, "image": IMAGE, "restartPolicy": "Always"});
        insert(&spec, "initContainers", 0, sidecar)?
    } else {
        insert(&spec, "containers", usize::MAX, json!({"name": name, "image": IMAGE}))?
    };
    Ok(vec![operation])
}

fn has_container(spec: &Node<'_, '_>, list: &str, name: &str) -> Result<bool, Malformed> {
    let Some(containers) = spec.member(list)? else { return Ok(false) };
    for container in containers.items()? {
        if container.text("name")? == Some(name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Inserts into a list at `index`, or at its end where it is shorter.
fn insert(
    spec: &Node<'_, '_>,
    list: &str,
    index: usize,
    container: Value,
) -> Result<Operation, Malformed> {
    let at = Pointer::root().key("spec").key(list);
    let Some(containers) = spec.member(list)? else {
        return Ok(Operation::Add(at, json!([container])));
    };
    let length = containers.items()?.count();
    Ok(Operation::Add(at.index(index.min(length)), container))
}
