//! The QoS class that the API server gives a pod, and the resources of one more container that
//! leave it as it is.

use std::fmt;

use serde_json::{Map, Value, json};

use super::options::NAMES;
use super::quantity::billionths;
use crate::rewrite::pod::List;

/// What a pod says of its resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// They stand at the containers, which come to this class.
    Containers(Class),
    /// They stand at the pod, and hold for all its containers together.
    Pod,
}

/// A QoS class: of a pod, or of a container as if it were alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Guaranteed,
    Burstable,
    BestEffort,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Shape {
    pub fn of(spec: &Value) -> Self {
        if is_set_for_the_pod(&spec["resources"]) {
            return Self::Pod;
        }
        let classes = resources_of_containers(spec).map(class);
        Self::Containers(classes.reduce(Class::and).unwrap_or(Class::BestEffort))
    }

    /// What fits: the size at rest is below 3 MiB, and 32 MiB hold a thousand connections. Of a
    /// Burstable pod, too, the requests are the limits: no LimitRange's ratio refuses them, and the
    /// pod can still become Guaranteed by who changes it later.
    pub fn resources(self) -> Option<Value> {
        match self {
            Self::Containers(Class::Guaranteed | Class::Burstable) => {
                let both = json!({"cpu": "20m", "memory": "32Mi"});
                Some(json!({"requests": both, "limits": both}))
            }
            Self::Containers(Class::BestEffort) | Self::Pod => None,
        }
    }

    /// The class that the pod has, and the one that it gets by a container with these resources,
    /// where that is another one.
    pub fn change(self, resources: Option<&Value>) -> Option<(Class, Class)> {
        let Self::Containers(before) = self else { return None };
        let after = before.and(class(resources.unwrap_or(&Value::Null)));
        (after != before).then_some((before, after))
    }
}

impl Class {
    /// Of two containers.
    fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Burstable }
    }
}

/// The API server counts these and no others.
const COUNTED: [&str; 2] = ["cpu", "memory"];

/// Whether what the pod has for all its containers leaves room for these resources of one more.
/// Init containers, which the API server may count less, are counted in full.
pub(super) fn leaves_room(spec: &Value, resources: &Value) -> bool {
    let within = |amount: Option<i128>, list: &str, name: &str| {
        let bound = &spec["resources"][list][name];
        bound.is_null() || amount.zip(self::amount(bound)).is_some_and(|(it, bound)| it <= bound)
    };
    NAMES.into_iter().all(|name| {
        let mut all = resources_of_containers(spec).chain([resources]);
        let requested = all.try_fold(0_i128, |sum, it| sum.checked_add(request(it, name)?));
        let limit = amount(&resources["limits"][name]);
        within(requested, "requests", name)
            && within(requested, "limits", name)
            && within(limit, "limits", name)
    })
}

fn resources_of_containers(spec: &Value) -> impl Iterator<Item = &Value> {
    let lists = [List::Init, List::Regular].map(|list| spec[list.field()].as_array());
    lists.into_iter().flatten().flatten().map(|container| &container["resources"])
}

/// In billionths. What is missing is the limit.
fn request(resources: &Value, name: &str) -> Option<i128> {
    let request = Some(&resources["requests"][name]).filter(|it| !it.is_null());
    amount(request.unwrap_or(&resources["limits"][name]))
}

/// Of one container.
fn class(resources: &Value) -> Class {
    let classes =
        COUNTED.map(|name| match (request(resources, name), amount(&resources["limits"][name])) {
            (Some(0), Some(0)) => Class::BestEffort,
            (Some(request), Some(limit)) if request == limit => Class::Guaranteed,
            _ => Class::Burstable,
        });
    classes[0].and(classes[1])
}

/// In billionths; what is absent is 0.
pub(super) fn amount(quantity: &Value) -> Option<i128> {
    match quantity {
        Value::Null => Some(0),
        Value::String(text) => billionths(text),
        Value::Number(number) => billionths(&number.to_string()),
        _ => None,
    }
}

/// Others that stand there count for nothing.
fn is_set_for_the_pod(resources: &Value) -> bool {
    let lists = ["requests", "limits"].map(|list| resources[list].as_object());
    let mut names = lists.into_iter().flatten().flat_map(Map::keys);
    names.any(|name| COUNTED.contains(&name.as_str()) || name.starts_with("hugepages-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_container_is_of_its_class() {
        let both = |cpu: &str, memory: &str| json!({"cpu": cpu, "memory": memory});
        let full = both("1", "1Gi");
        for (resources, expected) in [
            (json!(null), Class::BestEffort),
            (json!({}), Class::BestEffort),
            (json!({"requests": null, "limits": {}}), Class::BestEffort),
            (json!({"requests": both("0", "0Mi"), "limits": {}}), Class::BestEffort),
            (json!({"limits": {"nvidia.com/gpu": "1"}}), Class::BestEffort),
            (json!({"limits": {"ephemeral-storage": "1Gi"}}), Class::BestEffort),
            (json!({"limits": full}), Class::Guaranteed),
            (json!({"limits": full, "requests": null}), Class::Guaranteed),
            (json!({"limits": full, "requests": full}), Class::Guaranteed),
            (json!({"limits": full, "requests": both("1000m", "1024Mi")}), Class::Guaranteed),
            (json!({"limits": {"cpu": 1, "memory": 0.5}}), Class::Guaranteed),
            (json!({"limits": full, "requests": {"cpu": "1"}}), Class::Guaranteed),
            (json!({"requests": full}), Class::Burstable),
            (json!({"limits": full, "requests": {"cpu": "0"}}), Class::Burstable),
            (json!({"limits": {"cpu": "1"}}), Class::Burstable),
            (json!({"limits": {"memory": "1"}}), Class::Burstable),
            (json!({"limits": full, "requests": both("1", "512Mi")}), Class::Burstable),
            (json!({"limits": both("1", "much")}), Class::Burstable),
            (json!({"limits": {"cpu": [], "memory": "1"}}), Class::Burstable),
        ] {
            assert_eq!(class(&resources), expected, "{resources}");
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
            let list = |all: &[&Value]| all.iter().map(|r| json!({"resources": r})).collect();
            let [init, regular]: [Value; 2] = [list(init), list(regular)];
            Shape::of(&json!({"initContainers": init, "containers": regular}))
        };
        for (init, regular, expected) in [
            (&[] as &[_], &[&none, &none] as &[_], Class::BestEffort),
            (&[&none], &[&none], Class::BestEffort),
            (&[&all], &[&all, &all], Class::Guaranteed),
            (&[], &[&all, &none], Class::Burstable),
            (&[&none], &[&all], Class::Burstable),
            (&[&all], &[&none], Class::Burstable),
            (&[], &[&some], Class::Burstable),
            (&[&some], &[&all], Class::Burstable),
        ] {
            assert_eq!(of(init, regular), Shape::Containers(expected), "{init:?} {regular:?}");
        }
    }

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
            assert_eq!(Shape::of(&spec) == Shape::Pod, is_set, "{resources}");
        }
    }

    #[test]
    fn the_pods_own_resources_leave_room_for_what_is_left_of_them() {
        let spec = |own: Value| {
            let with = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
            json!({"resources": own, "containers": [with("1"), {}], "initContainers": [with("0.5")]})
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
            assert_eq!(leaves_room(&spec(own.clone()), &resources), fits, "{own} {resources}");
        }
    }

    /// Whatever the pod's shape.
    #[test]
    fn what_fits_changes_no_class() {
        for class in [Class::Guaranteed, Class::Burstable, Class::BestEffort] {
            let shape = Shape::Containers(class);
            assert_eq!(shape.change(shape.resources().as_ref()), None);
        }
        assert_eq!(Shape::Pod.resources(), None);
    }
}
