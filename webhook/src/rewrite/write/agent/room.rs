//! Whether the resources of the pod itself, which hold for all its containers together, leave room
//! for one more.

use serde_json::Value;

use super::qos::COUNTED;
use crate::rewrite::quantity::{NAMES, amount};
use crate::rewrite::read::{Pod, Resources};

/// Whether these, of a pod, are what its QoS class comes from. Others than those count for nothing.
pub fn stand_at_the_pod(resources: &Resources<'_>) -> bool {
    resources.names().any(|name| COUNTED.contains(&name) || name.starts_with("hugepages-"))
}

/// Whether the pod's own leave room for these of one more container. Init containers, which the API
/// server may count less, are counted in full.
pub fn leaves_room(pod: &Pod<'_>, resources: &Resources<'_>) -> bool {
    NAMES.into_iter().all(|name| {
        let others = pod.containers.iter().map(|container| &container.resources);
        let requested = others
            .chain([resources])
            .try_fold(0_i128, |sum, it| sum.checked_add(amount(it.request(name))?));
        let limit = amount(resources.limit(name));
        let (requests, limits) = (pod.resources.own_request(name), pod.resources.limit(name));
        is_within(requested, requests) && is_within(requested, limits) && is_within(limit, limits)
    })
}

fn is_within(amount: Option<i128>, bound: Option<&Value>) -> bool {
    bound.is_none() || amount.zip(self::amount(bound)).is_some_and(|(it, bound)| it <= bound)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rewrite::read::Node;

    #[test]
    fn resources_of_the_pod_itself_come_first() {
        for (resources, is_set) in [
            (json!({"requests": {"cpu": "1"}}), true),
            (json!({"limits": {"memory": "1Gi"}}), true),
            (json!({"limits": {"hugepages-2Mi": "4Mi"}}), true),
            (json!({"limits": {"cpu": "0"}}), true),
            (json!({"limits": {"ephemeral-storage": "1Gi"}}), false),
            (json!({"limits": {}, "requests": null}), false),
            (json!({}), false),
            (json!(null), false),
        ] {
            let spec = json!({"resources": resources, "containers": [{}]});
            let read = Resources::read(&Node::root(&spec)).unwrap();
            assert_eq!(stand_at_the_pod(&read), is_set, "{resources}");
        }
    }

    #[test]
    fn the_pods_own_resources_leave_room_for_what_is_left_of_them() {
        let pod = |own: &Value| {
            let with = |name: &str, cpu: &str| json!({"name": name, "resources": {"requests": {"cpu": cpu}}});
            json!({"spec": {
                "resources": own,
                "containers": [with("a", "1"), {"name": "b"}],
                "initContainers": [with("c", "0.5")],
            }})
        };
        let own = json!({"requests": {"cpu": "2"}, "limits": {"cpu": "3", "memory": "1Gi"}});
        for (own, resources, fits) in [
            (&own, json!({}), true),
            (&own, json!({"requests": {"cpu": "500m"}}), true),
            (&own, json!({"requests": {"cpu": "501m"}}), false),
            (&own, json!({"limits": {"cpu": "501m"}}), false),
            (&own, json!({"requests": {"cpu": "0"}, "limits": {"cpu": "3"}}), true),
            (&own, json!({"requests": {"cpu": "0"}, "limits": {"cpu": "3001m"}}), false),
            (&own, json!({"requests": {"memory": "1024Mi"}}), true),
            (&own, json!({"requests": {"memory": "1025Mi"}}), false),
            (&own, json!({"limits": {"ephemeral-storage": "1Ti"}}), true),
            (&json!({"requests": {"cpu": "much"}}), json!({}), false),
            (&json!({"requests": {"memory": "1Gi"}}), json!({"limits": {"cpu": "9"}}), true),
        ] {
            let pod = pod(own);
            let pod = Pod::read(&pod, &[]).unwrap();
            let fit = leaves_room(&pod, &Resources::of(resources.as_object().unwrap()));
            assert_eq!(fit, fits, "{own} {resources}");
        }
    }
}
