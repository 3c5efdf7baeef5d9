//! The agent's container: it makes the TCP checks of the filter, so it stands beside every sidecar
//! whose variable holds one, and beside no other.
//!
//! | module | what it decides |
//! |---|---|
//! | `options` | what only a cluster or a namespace knows of it |
//! | `container` | what the container has |
//! | `pull_secrets` | the Secret that its image is pulled with |
//! | `qos` | the resources that leave the pod's QoS class as it is |
//! | `room` | whether the pod's own resources leave room for it |
//! | `quantity` | how much a quantity is |

mod container;
mod options;
mod pull_secrets;
mod qos;
mod quantity;
mod room;

use serde_json::{Value, json};

use self::container::container;
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
        let options = options.agent.as_ref().filter(|_| recorded.has_tcp())?;
        if in_pod(pod).is_some() {
            return None;
        }
        let mut warnings = Vec::new();
        let container = container(pod, options, &mut warnings);
        let pull_secret = options.pull_secret.as_deref();
        let pull_secret = pull_secret
            .and_then(|name| pull_secrets::addition(pod, name).map(|step| (name.to_owned(), step)));
        Some(Self { container: place(pod, sidecar, container), pull_secret, warnings })
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

/// The steps that take it out, with the Secret of this name: some for before the last of a patch,
/// and the last.
pub(super) struct Removal {
    pub pull_secret: Option<Operation>,
    pub container: Option<Operation>,
}

impl Removal {
    pub fn new(pod: &Pod<'_>, pull_secret: Option<&str>) -> Self {
        let container = in_pod(pod).map(|agent| {
            let alone = pod.length(agent.list) == 1;
            Operation::Remove(if alone { list_at(agent.list) } else { agent.pointer() })
        });
        let pull_secret = pull_secret.and_then(|name| pull_secrets::removal(pod, name));
        Self { pull_secret, container }
    }
}

/// What is wrong where another container has its name.
pub(super) fn replaced_by_another(
    pod: &Pod<'_>,
    recorded: &Recorded,
    options: &Options,
) -> Option<String> {
    options.agent.as_ref().filter(|_| recorded.has_tcp())?;
    let other = in_pod(pod)?;
    let reason = "of the pod's own is no agent, so that Envoy has to make the TCP checks itself";
    (!other.serves).then(|| format!("container {AGENT_CONTAINER} {reason}"))
}

fn in_pod<'p, 'a>(pod: &'p Pod<'a>) -> Option<&'p Container<'a>> {
    pod.containers.iter().find(|container| container.name == AGENT_CONTAINER)
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
