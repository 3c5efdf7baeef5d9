//! What the agent's container has.

use serde_json::{Value, json};

use super::qos::QosClass;
use super::room::{leaves_room, stand_at_the_pod};
use crate::rewrite::options::{AGENT_CONTAINER, AgentOptions, AgentResources, AgentUser};
use crate::rewrite::read::annotations::{
    AGENT_RESOURCES_ANNOTATION, AGENT_USER_ANNOTATION, of_agent,
};
use crate::rewrite::read::{JsonObject, Pod, Resources};
use crate::rewrite::result::{Cause, Warning};

/// No probe of its own: the checks that it makes say whether it works.
pub fn container(pod: &Pod<'_>, options: &AgentOptions, warnings: &mut Vec<Warning>) -> Value {
    let resources = resources(pod, options, warnings);
    let user = of_agent(pod.annotations, AGENT_USER_ANNOTATION, warnings).unwrap_or(options.user);
    let mut container = json!({
        "name": AGENT_CONTAINER,
        "image": options.image,
        "args": ["serve"],
        "securityContext": security_context(pod, user),
    });
    if let Some(resources) = resources {
        container["resources"] = resources;
    }
    container
}

/// What is said for all pods is fitted to each; what a pod says itself holds.
fn resources(pod: &Pod<'_>, options: &AgentOptions, warnings: &mut Vec<Warning>) -> Option<Value> {
    let own = of_agent(pod.annotations, AGENT_RESOURCES_ANNOTATION, warnings);
    if stand_at_the_pod(&pod.resources) {
        return within_the_pods(pod, own.as_ref().unwrap_or(&options.resources), warnings);
    }
    let class = QosClass::of(pod);
    let Some(own) = own else { return class.fitted(&options.resources) };
    warnings.extend(class_change(class, own.lists()));
    own.lists().cloned().map(Value::Object)
}

fn within_the_pods(
    pod: &Pod<'_>,
    said: &AgentResources,
    warnings: &mut Vec<Warning>,
) -> Option<Value> {
    let lists = said.lists()?;
    if !leaves_room(pod, &Resources::of(lists)) {
        let reason =
            "the agent's resources, as set, are more than the pod's own leave; it has none";
        warnings.push(Warning::of_pod(Cause::AgentResources, reason));
        return None;
    }
    Some(Value::Object(lists.clone()))
}

fn class_change(before: QosClass, lists: Option<&JsonObject>) -> Option<Warning> {
    let after = before.with(QosClass::of_container(&lists.map(Resources::of).unwrap_or_default()));
    let unless = if lists.is_none() { ", unless a LimitRange gives it some" } else { "" };
    let reason =
        format!("by the agent's resources, as set, the pod is {after}, not {before}{unless}");
    (after != before).then(|| Warning::of_pod(Cause::AgentResources, reason))
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
    if user != AgentUser::Unset || !pod.runs_as_root {
        context["runAsNonRoot"] = true.into();
    }
    context
}
