//! The QoS class that the API server gives a pod whose resources stand at its containers, and what
//! one more container may have in it.

use std::fmt;

use serde_json::{Value, json};

use crate::rewrite::options::AgentResources;
use crate::rewrite::quantity::{NAMES, amount};
use crate::rewrite::read::{JsonObject, Pod, Resources};

/// Of a pod, or of a container as if it were alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QosClass {
    Guaranteed,
    Burstable,
    BestEffort,
}

impl fmt::Display for QosClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The API server counts these and no others.
pub const COUNTED: [&str; 2] = ["cpu", "memory"];

impl QosClass {
    pub fn of(pod: &Pod<'_>) -> Self {
        let classes = pod.containers.iter().map(|it| Self::of_container(&it.resources));
        classes.reduce(Self::with).unwrap_or(Self::BestEffort)
    }

    pub fn of_container(resources: &Resources<'_>) -> Self {
        let class = |name| match (amount(resources.request(name)), amount(resources.limit(name))) {
            (Some(0), Some(0)) => Self::BestEffort,
            (Some(request), Some(limit)) if request == limit => Self::Guaranteed,
            _ => Self::Burstable,
        };
        let [cpu, memory] = COUNTED.map(class);
        cpu.with(memory)
    }

    /// That of both together.
    pub fn with(self, other: Self) -> Self {
        if self == other { self } else { Self::Burstable }
    }

    /// What is meant for all pods, such that one of this class keeps it. The default has requests
    /// that are the limits in a Burstable pod, too: no LimitRange's ratio refuses them, and the pod
    /// may become Guaranteed by whom the API server calls later.
    pub fn fitted(self, resources: &AgentResources) -> Option<Value> {
        match (self, resources) {
            (Self::BestEffort, _) | (Self::Burstable, AgentResources::None) => None,
            (Self::Burstable, AgentResources::Lists(lists)) => Some(Value::Object(lists.clone())),
            (Self::Guaranteed, AgentResources::Lists(lists)) => Some(both(&Resources::of(lists))),
            (Self::Guaranteed, _) | (Self::Burstable, AgentResources::Default) => {
                Some(both(&Resources::default()))
            }
        }
    }
}

/// Requests and limits that are the same: the limits, else the requests, else the default.
fn both(resources: &Resources<'_>) -> Value {
    let mut quantities = default_quantities();
    for name in NAMES {
        let mut said = [resources.limit(name), resources.request(name)].into_iter().flatten();
        if let Some(quantity) = said.find(|it| amount(Some(it)).is_some_and(|it| it > 0)) {
            quantities.insert(name.to_owned(), quantity.clone());
        }
    }
    json!({"requests": quantities, "limits": quantities})
}

/// The size at rest is below 3 MiB, and 32 MiB hold a thousand connections.
fn default_quantities() -> JsonObject {
    [("cpu", "20m"), ("memory", "32Mi")]
        .map(|(name, quantity)| (name.to_owned(), quantity.into()))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::read::Node;

    #[test]
    fn one_container_is_of_its_class() {
        use QosClass::{BestEffort, Burstable, Guaranteed};
        let both = |cpu: &str, memory: &str| json!({"cpu": cpu, "memory": memory});
        let full = both("1", "1Gi");
        for (resources, expected) in [
            (json!(null), BestEffort),
            (json!({}), BestEffort),
            (json!({"requests": null, "limits": {}}), BestEffort),
            (json!({"requests": both("0", "0Mi"), "limits": {}}), BestEffort),
            (json!({"limits": {"nvidia.com/gpu": "1"}}), BestEffort),
            (json!({"limits": {"ephemeral-storage": "1Gi"}}), BestEffort),
            (json!({"limits": full}), Guaranteed),
            (json!({"limits": full, "requests": null}), Guaranteed),
            (json!({"limits": full, "requests": full}), Guaranteed),
            (json!({"limits": full, "requests": both("1000m", "1024Mi")}), Guaranteed),
            (json!({"limits": {"cpu": 1, "memory": 0.5}}), Guaranteed),
            (json!({"limits": full, "requests": {"cpu": "1"}}), Guaranteed),
            (json!({"requests": full}), Burstable),
            (json!({"limits": full, "requests": {"cpu": "0"}}), Burstable),
            (json!({"limits": {"cpu": "1"}}), Burstable),
            (json!({"limits": {"memory": "1"}}), Burstable),
            (json!({"limits": full, "requests": both("1", "512Mi")}), Burstable),
            (json!({"limits": both("1", "much")}), Burstable),
        ] {
            let container = json!({"resources": resources});
            let read = Resources::read(&Node::root(&container)).unwrap();
            assert_eq!(QosClass::of_container(&read), expected, "{resources}");
        }
    }

    #[test]
    fn a_pod_is_what_its_containers_are_together() {
        let [none, some, all] = [
            json!({}),
            json!({"requests": {"cpu": "1"}}),
            json!({"limits": {"cpu": "1", "memory": "1Gi"}}),
        ];
        let of = |init: &[&Value], regular: &[&Value]| {
            let list = |name: &str, all: &[&Value]| -> Value {
                let named = all.iter().enumerate();
                named.map(|(i, r)| json!({"name": format!("{name}{i}"), "resources": r})).collect()
            };
            let (init, regular) = (list("init", init), list("app", regular));
            let pod = json!({"spec": {"initContainers": init, "containers": regular}});
            QosClass::of(&Pod::read(&pod, &[]).unwrap())
        };
        use QosClass::{BestEffort, Burstable, Guaranteed};
        for (init, regular, expected) in [
            (&[] as &[_], &[&none, &none] as &[_], BestEffort),
            (&[&none], &[&none], BestEffort),
            (&[&all], &[&all, &all], Guaranteed),
            (&[], &[&all, &none], Burstable),
            (&[&none], &[&all], Burstable),
            (&[&all], &[&none], Burstable),
            (&[], &[&some], Burstable),
            (&[&some], &[&all], Burstable),
        ] {
            assert_eq!(of(init, regular), expected, "{init:?} {regular:?}");
        }
    }

    #[test]
    fn what_is_meant_for_all_pods_is_fitted_to_a_guaranteed_one() {
        let same = |cpu: &str, memory: &str| {
            let both = json!({"cpu": cpu, "memory": memory});
            json!({"requests": both, "limits": both})
        };
        let storage = json!({"cpu": "20m", "memory": "32Mi", "ephemeral-storage": "1Mi"});
        for (text, expected) in [
            ("none", same("20m", "32Mi")),
            ("{}", same("20m", "32Mi")),
            (r#"{"limits":{"cpu":"50m"}}"#, same("50m", "32Mi")),
            (r#"{"requests":{"cpu":"5m","memory":"8Mi"}}"#, same("5m", "8Mi")),
            (r#"{"requests":{"cpu":"5m"},"limits":{"cpu":"50m"}}"#, same("50m", "32Mi")),
            (r#"{"requests":{"cpu":"0"},"limits":{"cpu":"0"}}"#, same("20m", "32Mi")),
            (
                r#"{"requests":{"ephemeral-storage":"1Mi"}}"#,
                json!({"requests": storage, "limits": storage}),
            ),
        ] {
            let resources: AgentResources = text.parse().unwrap();
            assert_eq!(QosClass::Guaranteed.fitted(&resources), Some(expected), "{text}");
            assert_eq!(QosClass::BestEffort.fitted(&resources), None, "{text}");
            let as_said = resources.lists().cloned().map(Value::Object);
            assert_eq!(QosClass::Burstable.fitted(&resources), as_said, "{text}");
        }
        let default = Some(same("20m", "32Mi"));
        for class in [QosClass::Guaranteed, QosClass::Burstable] {
            assert_eq!(class.fitted(&AgentResources::Default), default);
        }
    }
}
