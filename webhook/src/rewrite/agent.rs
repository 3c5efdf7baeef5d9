//! The agent's container: it makes the TCP checks of the filter, so it stands beside every sidecar
//! whose variable holds one, and beside no other.
//!
//! | module | what it decides |
//! |---|---|
//! | `options` | what only a cluster or a namespace knows of it |
//! | `shape` | the resources that leave the pod's QoS class as it is |
//! | `quantity` | how much a quantity is |

mod options;
mod quantity;
mod shape;

use serde_json::{Value, json};

use self::shape::{Shape, leaves_room};
use super::kept::Kept;
use super::pod::{Container, List, Pod};
use super::variable::Recorded;
use super::{Cause, Options};
use crate::patch::{Operation, Pointer};

pub use self::options::{
    AGENT_RESOURCES_ANNOTATION, AGENT_USER_ANNOTATION, AgentOptions, AgentResources, AgentUser,
};

/// The name of the container that is put in.
pub const AGENT_CONTAINER: &str = "app-health-agent";

const PULL_SECRETS: &str = "imagePullSecrets";

/// What puts it into a pod.
pub(super) struct Addition {
    container: Operation,
    /// The name of a Secret that the pod did not name yet.
    pull_secret: Option<(String, Operation)>,
    pub warnings: Vec<(Cause, String)>,
}

impl Addition {
    /// Where it is wanted and not there yet.
    pub fn new(
        pod: &Pod<'_>,
        sidecar: &Container<'_>,
        recorded: &Recorded,
        options: &Options,
    ) -> Option<Self> {
        let image = options.agent_image.as_deref().filter(|_| recorded.has_tcp())?;
        if pod.containers.iter().any(|container| container.name == AGENT_CONTAINER) {
            return None;
        }
        let mut warnings = Vec::new();
        let container = container(image, pod, &options.agent, &mut warnings);
        let pull_secret = options.agent.pull_secret.as_deref();
        Some(Self {
            container: place(pod, sidecar, container),
            pull_secret: pull_secret.and_then(|name| add_pull_secret(pod, name)),
            warnings,
        })
    }

    /// What is to be undone one day.
    pub fn note(&self, kept: &mut Kept<'_>) {
        kept.note_agent();
        if let Some((name, _)) = &self.pull_secret {
            kept.note_pull_secret(name);
        }
    }

    /// It moves other containers, so these have to be the last of a patch.
    pub fn steps(self) -> impl Iterator<Item = Operation> {
        self.pull_secret.into_iter().map(|(_, step)| step).chain([self.container])
    }
}

fn place(pod: &Pod<'_>, sidecar: &Container<'_>, container: Value) -> Operation {
    if sidecar.is_native_sidecar() {
        insert(pod, List::Init, sidecar.index + 1, native(container))
    } else if pod.ends {
        // A plain container would keep the pod from ending.
        insert(pod, List::Init, usize::MAX, native(container))
    } else {
        insert(pod, List::Regular, usize::MAX, container)
    }
}

fn add_pull_secret(pod: &Pod<'_>, name: &str) -> Option<(String, Operation)> {
    let at = pull_secrets_at();
    let secret = json!({"name": name});
    let step = match pod.spec.get(PULL_SECRETS) {
        Some(Value::Array(secrets)) if secrets.contains(&secret) => return None,
        Some(Value::Array(secrets)) if !secrets.is_empty() => {
            Operation::Add(at.index(secrets.len()), secret)
        }
        _ => Operation::Add(at, json!([secret])),
    };
    Some((name.to_owned(), step))
}

/// The step that takes this one out.
pub(super) fn remove_pull_secret(pod: &Pod<'_>, name: &str) -> Option<Operation> {
    let secrets = pod.spec.get(PULL_SECRETS)?.as_array()?;
    let index = secrets.iter().position(|secret| secret["name"] == name)?;
    let at = pull_secrets_at();
    Some(Operation::Remove(if secrets.len() == 1 { at } else { at.index(index) }))
}

fn pull_secrets_at() -> Pointer {
    Pointer::root().keys(&["spec", PULL_SECRETS])
}

/// What is wrong where another container has its name.
pub(super) fn replaced_by_another(
    pod: &Pod<'_>,
    recorded: &Recorded,
    options: &Options,
) -> Option<String> {
    options.agent_image.as_ref().filter(|_| recorded.has_tcp())?;
    let other = pod.containers.iter().find(|container| container.name == AGENT_CONTAINER)?;
    let reason = "of the pod's own is no agent, so that Envoy has to make the TCP checks itself";
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

fn native(mut container: Value) -> Value {
    container["restartPolicy"] = "Always".into();
    container
}

/// No probe of its own: the checks that it makes say whether it works.
fn container(
    image: &str,
    pod: &Pod<'_>,
    options: &AgentOptions,
    warnings: &mut Vec<(Cause, String)>,
) -> Value {
    let (resources, user) = options::chosen(pod.annotations, options, warnings);
    let mut container = json!({
        "name": AGENT_CONTAINER,
        "image": image,
        "args": ["serve"],
        "securityContext": security_context(pod, user),
    });
    let shape = Shape::of(pod.spec);
    let resources = match resources {
        AgentResources::Fitting => shape.resources(),
        AgentResources::Set(Some(set)) if shape == Shape::Pod && !leaves_room(pod.spec, &set) => {
            let reason =
                "the agent's resources, as set, are more than the pod's own leave; it has none";
            warnings.push((Cause::AgentResources, reason.to_owned()));
            None
        }
        AgentResources::Set(set) => {
            warnings.extend(class_changes(shape, set.as_ref()));
            set
        }
    };
    if let Some(resources) = resources {
        container["resources"] = resources;
    }
    container
}

fn class_changes(shape: Shape, resources: Option<&Value>) -> Option<(Cause, String)> {
    let (before, after) = shape.change(resources)?;
    let unless = if resources.is_none() { ", unless a LimitRange gives it some" } else { "" };
    let reason =
        format!("by the agent's resources, as set, the pod is {after}, not {before}{unless}");
    Some((Cause::AgentResources, reason))
}

/// As the Pod Security Standard "restricted" wants it.
fn security_context(pod: &Pod<'_>, user: AgentUser) -> Value {
    let mut context = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "privileged": false,
        "readOnlyRootFilesystem": true,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    if let AgentUser::Id(id) = user {
        context["runAsUser"] = id.into();
        context["runAsGroup"] = id.into();
    }
    // As the root that the pod is, the kubelet would not start it.
    if user != AgentUser::Unset || !pod.runs_as_root() {
        context["runAsNonRoot"] = true.into();
    }
    context
}
