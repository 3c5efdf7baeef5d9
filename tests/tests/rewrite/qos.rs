//! The QoS class of a pod is the same with the agent as without it, by the API server's own rules
//! (`pkg/apis/core/v1/helper/qos` of Kubernetes), written here once more.

use app_health_webhook::rewrite::{AGENT_CONTAINER, AgentOptions, Options};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::{restored, rewritten, without_empties};

#[derive(Debug, PartialEq)]
enum Class {
    Guaranteed,
    Burstable,
    BestEffort,
}

proptest! {
    /// Whatever is set for all pods.
    #[test]
    fn the_agent_changes_no_class(pod in pod(), set in option::of(agent_resources())) {
        let mut agent = AgentOptions::new("agent");
        if let Some(set) = &set {
            agent.resources = set.parse().unwrap();
        }
        let options = Options { agent: Some(agent), ..Options::default() };
        let (there, made) = rewritten(&pod, &options).unwrap();
        let of_pod = pod["spec"]["resources"].is_object();
        prop_assert!(made.warnings.is_empty() || (set.is_some() && of_pod));
        prop_assert_eq!(containers(&there).count(), containers(&pod).count() + 1);
        prop_assert_eq!(class(&there), class(&pod), "{}", there);
        let agent = containers(&there).find(|it| it["name"] == AGENT_CONTAINER).unwrap();
        let resources = &agent["resources"];
        if of_pod && set.is_none() {
            prop_assert_eq!(resources, &Value::Null);
        }
        if set.is_none() {
            prop_assert_eq!(&resources["requests"], &resources["limits"]);
        }
        let (back, _) = restored(&there, &options).unwrap();
        prop_assert_eq!(without_empties(back), without_empties(pod));
    }
}

fn agent_resources() -> impl Strategy<Value = &'static str> {
    select(vec![
        "none",
        "{}",
        r#"{"requests":{"cpu":"5m"}}"#,
        r#"{"limits":{"cpu":"1000m","memory":"32Mi"}}"#,
        r#"{"requests":{"cpu":"5m","memory":"0"},"limits":{"cpu":"20m","memory":"1Gi"}}"#,
        r#"{"requests":{"cpu":"0","memory":"0"}}"#,
    ])
}

/// As the API server hands it on: with a request wherever there is a limit.
fn resources() -> impl Strategy<Value = Value> {
    // Half of them have both alike.
    let amounts = |of: [&'static str; 3]| {
        (option::of(0..3_usize), option::of(0..3_usize), any::<bool>()).prop_map(
            move |(request, limit, alike)| {
                let limit = limit.map(|index| of[index]);
                (if alike { limit } else { request.map(|index| of[index]).or(limit) }, limit)
            },
        )
    };
    let any = (amounts(["0", "1", "1000m"]), amounts(["0", "1Gi", "1024Mi"]));
    let any = any.prop_map(|(cpu, memory)| {
        let mut resources = json!({});
        for (name, (request, limit)) in [("cpu", cpu), ("memory", memory)] {
            for (list, quantity) in [("requests", request), ("limits", limit)] {
                if let Some(quantity) = quantity {
                    resources[list][name] = quantity.into();
                }
            }
        }
        resources
    });
    let same = json!({"cpu": "1", "memory": "1Gi"});
    prop_oneof![2 => any, 1 => Just(json!({"requests": same, "limits": same}))]
}

/// Some have the same resources everywhere, and so are not always Burstable.
fn pod() -> impl Strategy<Value = Value> {
    let each = vec(resources(), 3);
    (each, any::<bool>(), any::<bool>(), option::weighted(0.2, 0..2_usize)).prop_map(
        |(each, alike, native, of_pod)| {
            let at = |index: usize| &each[if alike { 0 } else { index }];
            let probe = json!({"tcpSocket": {"port": 80}});
            let app = json!({"name": "app", "readinessProbe": probe, "resources": at(0)});
            let init = json!({"name": "init", "resources": at(1)});
            let mut sidecar = json!({"name": "istio-proxy", "resources": at(2)});
            let mut spec = if native {
                sidecar["restartPolicy"] = "Always".into();
                json!({"initContainers": [init, sidecar], "containers": [app]})
            } else {
                json!({"initContainers": [init], "containers": [app, sidecar]})
            };
            if let Some(index) = of_pod {
                let limits = [json!({"cpu": "9"}), json!({"cpu": "9", "memory": "9Gi"})];
                spec["resources"] = json!({"limits": limits[index], "requests": limits[index]});
            }
            json!({"spec": spec})
        },
    )
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["initContainers", "containers"].map(|list| pod["spec"][list].as_array());
    lists.into_iter().flatten().flatten()
}

fn class(pod: &Value) -> Class {
    if pod["spec"]["resources"].is_object() {
        return class_of(&pod["spec"]["resources"]);
    }
    let mut classes = containers(pod).map(|container| class_of(&container["resources"]));
    let first = classes.next().expect("a container");
    if classes.all(|class| class == first) { first } else { Class::Burstable }
}

fn class_of(resources: &Value) -> Class {
    let [cpu, memory] = ["cpu", "memory"].map(|name| {
        ["requests", "limits"].map(|list| known(resources[list][name].as_str().unwrap_or("0")))
    });
    match (cpu, memory) {
        ([0, 0], [0, 0]) => Class::BestEffort,
        ([request, limit], [other, most])
            if request == limit && other == most && limit * most > 0 =>
        {
            Class::Guaranteed
        }
        _ => Class::Burstable,
    }
}

/// Of the few quantities that are in use here.
fn known(quantity: &str) -> u64 {
    match quantity {
        "0" => 0,
        "1" | "1000m" => 1000,
        "5m" => 5,
        "20m" => 20,
        "9" => 9000,
        "32Mi" => 32,
        "1Gi" | "1024Mi" => 1024,
        "9Gi" => 9 * 1024,
        other => panic!("{other}"),
    }
}
