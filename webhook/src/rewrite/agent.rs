//! The agent's container: it makes the TCP checks of the filter, so it stands beside every sidecar
//! whose variable holds one, and beside no other.

use serde_json::{Value, json};

use super::Options;
use super::pod::{Container, List, Pod};
use super::variable::Recorded;
use crate::patch::{Operation, Pointer};

/// The name of the container that is put in.
pub const AGENT_CONTAINER: &str = "app-health-agent";

/// Neither root, nor Istio's proxy (1337), nor a user that images are wont to have.
const USER: u32 = 15023;

/// The step that puts it in, where it is wanted and not there yet. It moves other containers, so
/// it has to be the last of a patch.
pub(super) fn addition(
    pod: &Pod<'_>,
    sidecar: &Container<'_>,
    recorded: &Recorded,
    options: &Options,
) -> Option<Operation> {
    let image = options.agent_image.as_deref().filter(|_| recorded.has_tcp())?;
    if pod.containers.iter().any(|container| container.name == AGENT_CONTAINER) {
        return None;
    }
    Some(if sidecar.is_native_sidecar() {
        insert(pod, List::Init, sidecar.index + 1, native(image))
    } else if pod.ends {
        // A plain container would keep the pod from ending.
        insert(pod, List::Init, usize::MAX, native(image))
    } else {
        insert(pod, List::Regular, usize::MAX, plain(image))
    })
}

/// What is wrong where another container has its name.
pub(super) fn replaced_by_another(
    pod: &Pod<'_>,
    recorded: &Recorded,
    options: &Options,
) -> Option<String> {
    options.agent_image.as_ref().filter(|_| recorded.has_tcp())?;
    let other = pod.containers.iter().find(|container| container.name == AGENT_CONTAINER)?;
    let reason = "of the pod's own is no agent, so that nothing makes the TCP checks";
    (!other.serves).then(|| format!("container {AGENT_CONTAINER} {reason}"))
}

/// The step that takes it out; the last of a patch, as above.
pub(super) fn removal(pod: &Pod<'_>) -> Option<Operation> {
    let agent = pod.containers.iter().find(|container| container.name == AGENT_CONTAINER)?;
    let alone = pod.length(agent.list) == 1;
    Some(Operation::Remove(if alone { list_at(agent.list) } else { agent.pointer() }))
}

/// Inserts at `index`, or at the end where the list is shorter.
fn insert(pod: &Pod<'_>, list: List, index: usize, container: Value) -> Operation {
    let at = list_at(list);
    match pod.length(list) {
        0 => Operation::Add(at, json!([container])),
        length => Operation::Add(at.index(index.min(length)), container),
    }
}

fn list_at(list: List) -> Pointer {
    Pointer::root().keys(&["spec", list.field()])
}

fn native(image: &str) -> Value {
    let mut container = plain(image);
    container["restartPolicy"] = "Always".into();
    container
}

/// No probe of its own: the checks that it makes say whether it works. Its size at rest is below
/// 3 MiB; the limit holds a thousand connections.
fn plain(image: &str) -> Value {
    json!({
        "name": AGENT_CONTAINER,
        "image": image,
        "args": ["serve"],
        "resources": {
            "requests": {"cpu": "5m", "memory": "8Mi"},
            "limits": {"cpu": "100m", "memory": "32Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "runAsGroup": USER,
            "runAsNonRoot": true,
            "runAsUser": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    })
}
