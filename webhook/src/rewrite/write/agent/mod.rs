//! The agent's container, and what comes with it.
//!
//! | module | what it decides |
//! |---|---|
//! | `container` | what the container has |
//! | `pull_secrets` | the Secret that its image is pulled with |
//! | `qos` | the resources that leave the pod's QoS class as it is |
//! | `room` | whether the pod's own resources leave room for it |

mod container;
mod pull_secrets;
mod qos;
mod room;

use serde_json::Value;

use super::containers::{insert, insert_native, remove};
use crate::patch::Operation;
use crate::rewrite::decide::AgentChange;
use crate::rewrite::options::{AgentOptions, Options};
use crate::rewrite::read::{Container, List, Pod};
use crate::rewrite::result::Rewrite;

/// Puts the container in, or takes it out.
pub fn write(
    pod: &Pod<'_>,
    sidecar: &Container<'_>,
    change: &AgentChange,
    options: &Options,
    rewrite: &mut Rewrite,
) {
    match change {
        AgentChange::None => {}
        AgentChange::PutIn => {
            if let Some(agent) = &options.agent {
                put_in(pod, sidecar, agent, rewrite);
            }
        }
        AgentChange::TakenOut { pull_secret } => {
            let secret = pull_secret.as_deref().and_then(|it| pull_secrets::removal(pod, it));
            rewrite.patch.extend(secret);
            rewrite.patch.extend(pod.agent().map(|agent| remove(pod, agent)));
        }
    }
}

fn put_in(pod: &Pod<'_>, sidecar: &Container<'_>, agent: &AgentOptions, rewrite: &mut Rewrite) {
    let container = container::container(pod, agent, &mut rewrite.warnings);
    let secret = agent.pull_secret.as_deref().and_then(|it| pull_secrets::addition(pod, it));
    rewrite.patch.extend(secret);
    rewrite.patch.push(place(pod, sidecar, container));
}

fn place(pod: &Pod<'_>, sidecar: &Container<'_>, container: Value) -> Operation {
    if sidecar.is_native_sidecar() {
        insert_native(pod, sidecar.index + 1, container)
    } else if pod.ends {
        // A plain container would keep the pod from ending.
        insert_native(pod, usize::MAX, container)
    } else {
        insert(pod, List::Regular, usize::MAX, container)
    }
}
