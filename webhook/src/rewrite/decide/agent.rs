//! When the agent's container is put in and taken out: it makes the TCP checks of the filter, so it
//! stands beside every sidecar whose variable holds one, and beside no other.

use super::plan::AgentChange;
use crate::rewrite::options::{AGENT_CONTAINER, Options};
use crate::rewrite::read::Pod;
use crate::rewrite::records::{Recorded, Records};
use crate::rewrite::result::{Cause, Warning};

/// The container is put in where it is wanted and not there yet. What is to be undone one day is noted.
pub fn put_in(pod: &Pod<'_>, records: &mut Records<'_, '_>, options: &Options) -> AgentChange {
    let agent = options.agent.as_ref().filter(|_| records.recorded.has_tcp());
    let (Some(agent), None) = (agent, pod.agent()) else { return AgentChange::None };
    records.kept.note_agent();
    if let Some(name) = agent.pull_secret.as_deref().filter(|it| !pod.pull_secrets.contains(it)) {
        records.kept.note_pull_secret(name);
    }
    AgentChange::PutIn
}

/// The container is taken out where it was put in, and is needed no longer.
pub fn take_out(records: &mut Records<'_, '_>) -> AgentChange {
    if records.recorded.has_tcp() || !records.kept.take_agent() {
        return AgentChange::None;
    }
    AgentChange::TakenOut { pull_secret: records.kept.take_pull_secret() }
}

/// What is wrong where another container has its name.
pub fn is_replaced(pod: &Pod<'_>, recorded: &Recorded, options: &Options) -> Option<Warning> {
    options.agent.as_ref().filter(|_| recorded.has_tcp())?;
    pod.agent().filter(|other| !other.serves)?;
    let reason = "of the pod's own is no agent, so that Envoy has to make the TCP checks itself";
    Some(Warning::of_pod(Cause::AgentName, format!("container {AGENT_CONTAINER} {reason}")))
}
