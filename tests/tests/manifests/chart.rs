//! The chart, rendered by the real Helm, against what the real Kustomize makes of the folders beside it.

use std::collections::BTreeMap;

use app_health_tests::helm::render;
use app_health_tests::kustomize::{PATH, build_text};
use serde_json::{Value, json};

const NAMESPACE: &str = "app-health";
const ROOT: &str = "istio-system";
/// What the EnvoyFilter has before somebody puts a sum in.
const NO_SUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// These values, beside a sum.
fn with(values: &Value) -> Value {
    let mut all = json!({"wasm": {"sha256": NO_SUM}});
    json_patch::merge(&mut all, values);
    all
}

fn chart(values: &Value) -> Vec<Value> {
    render(NAMESPACE, &with(values))
}

/// What Kustomize makes of these folders and components, in this namespace.
fn kustomize(folder: &str, components: &[&str], namespace: &str) -> Vec<Value> {
    let path = |one: &str| format!("{PATH}/envoy-config/{one}");
    let components: Vec<_> = components.iter().map(|one| path(one)).collect();
    let resources = [path(folder)];
    let file = json!({"namespace": namespace, "resources": resources, "components": components});
    build_text(&file.to_string())
}

/// The objects by kind, namespace and name, without what either tool adds for itself.
fn compared(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let is_compared = |object: &Value| {
        let hook = object["metadata"]["annotations"].get("helm.sh/hook");
        object["kind"] != "Namespace" && hook.is_none()
    };
    let own = [
        ("labels", "app.kubernetes.io/managed-by"),
        ("labels", "helm.sh/chart"),
        ("annotations", "helm.sh/resource-policy"),
    ];
    let objects = objects.into_iter().filter(is_compared).map(|mut object| {
        for (field, name) in own {
            let members = object["metadata"].get_mut(field).and_then(Value::as_object_mut);
            let is_empty = members.is_some_and(|members| {
                members.remove(name);
                members.is_empty()
            });
            if is_empty {
                object["metadata"].as_object_mut().expect("metadata").remove(field);
            }
        }
        let pod = object.pointer_mut("/spec/template/metadata/labels");
        if let Some(labels) = pod.and_then(Value::as_object_mut) {
            labels.remove("app.kubernetes.io/managed-by");
        }
        let metadata = &object["metadata"];
        let key = format!("{} {} {}", object["kind"], metadata["namespace"], metadata["name"]);
        (key, object)
    });
    objects.collect()
}

/// Fails with the first object that differs.
fn same(what: &str, values: &Value, kustomize: Vec<Value>) {
    let (chart, kustomize) = (compared(chart(values)), compared(kustomize));
    let names = |objects: &BTreeMap<String, Value>| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&chart), names(&kustomize), "{what}");
    for (name, object) in &chart {
        assert_eq!(object, &kustomize[name], "{what}: {name}");
    }
}

#[test]
fn chart_and_kustomize_make_the_same_objects() {
    for (values, certificate, choice, filter, monitoring) in [
        (json!({}), "self-signed", "opt-in", &[][..], false),
        (json!({"certificate": "cert-manager"}), "cert-manager", "opt-in", &[], false),
        (json!({"rewrite": "opt-out"}), "self-signed", "opt-out", &[], false),
        (json!({"ipv4Only": true}), "self-signed", "opt-in", &["istio/ipv4-only"], false),
        (
            json!({"statusCodes": "detailed"}),
            "self-signed",
            "opt-in",
            &["istio/detailed-status-codes"],
            false,
        ),
        (json!({"monitoring": {"enabled": true}}), "self-signed", "opt-in", &[], true),
    ] {
        let choice = format!("webhook/{choice}");
        let mut objects = kustomize(&format!("webhook/{certificate}"), &[&choice], NAMESPACE);
        objects.extend(kustomize("istio", filter, ROOT));
        if monitoring {
            objects.extend(kustomize("monitoring", &[], NAMESPACE));
        }
        same(&values.to_string(), &values, objects);
    }
}
