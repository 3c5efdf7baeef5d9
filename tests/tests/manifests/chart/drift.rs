//! Against what the real Kustomize makes of the folders beside the chart.

use std::collections::BTreeMap;

use app_health_tests::kustomize::{PATH, build_text};
use serde_json::{Value, json};

use super::{NAMESPACE, chart, is_hook};

const ROOT: &str = "istio-system";

/// What either tool adds for itself.
const OWN: [(&str, &str); 6] = [
    ("/metadata/labels", "app.kubernetes.io/managed-by"),
    ("/spec/template/metadata/labels", "app.kubernetes.io/managed-by"),
    ("/spec/jobTemplate/metadata/labels", "app.kubernetes.io/managed-by"),
    ("/spec/jobTemplate/spec/template/metadata/labels", "app.kubernetes.io/managed-by"),
    ("/metadata/labels", "helm.sh/chart"),
    ("/metadata/annotations", "helm.sh/resource-policy"),
];

/// What Kustomize makes of this folder with these components, in this namespace.
fn kustomize(folder: &str, components: &[&str], namespace: &str) -> Vec<Value> {
    let path = |one: &str| format!("{PATH}/envoy-config/{one}");
    let components: Vec<_> = components.iter().map(|one| path(one)).collect();
    let file =
        json!({"namespace": namespace, "resources": [path(folder)], "components": components});
    build_text(&file.to_string())
}

/// The name of one of the chart's Jobs ends with a digest of what it runs, and Kustomize's does not.
fn without_digest(name: &Value) -> &str {
    let name = name.as_str().expect("a name");
    let is_digest = |end: &str| end.len() == 8 && end.bytes().all(|it| it.is_ascii_hexdigit());
    name.rsplit_once('-').filter(|(_, end)| is_digest(end)).map_or(name, |(name, _)| name)
}

/// The objects that are compared, by kind, namespace and name.
fn compared(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let is_compared = |object: &Value| object["kind"] != "Namespace" && !is_hook(object);
    let objects = objects.into_iter().filter(is_compared).map(|mut object| {
        for (at, name) in OWN {
            if let Some(members) = object.pointer_mut(at).and_then(Value::as_object_mut) {
                members.remove(name);
            }
        }
        let kind = object["kind"].clone();
        if kind == "Job" {
            object["metadata"]["name"] = json!(without_digest(&object["metadata"]["name"]));
        }
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        metadata.retain(|_, members| *members != json!({}));
        let key = format!("{kind} {:?} {}", metadata.get("namespace"), metadata["name"]);
        (key, object)
    });
    objects.collect()
}

#[test]
fn chart_and_kustomize_make_the_same_objects() {
    let (opt_in, opt_out) = ("webhook/opt-in", "webhook/opt-out");
    let (plain, detailed, ipv4) = (&[][..], "istio/detailed-status-codes", "istio/ipv4-only");
    for (values, certificate, choice, filter) in [
        (json!({}), "self-signed", opt_in, plain),
        (json!({"certificate": "cert-manager"}), "cert-manager", opt_in, plain),
        (json!({"rewrite": "opt-out"}), "self-signed", opt_out, plain),
        (json!({"ipv4Only": true}), "self-signed", opt_in, &[ipv4]),
        (json!({"statusCodes": "detailed"}), "self-signed", opt_in, &[detailed]),
        (json!({"monitoring": {"enabled": true}}), "self-signed", opt_in, plain),
    ] {
        let mut expected = kustomize(&format!("webhook/{certificate}"), &[choice], NAMESPACE);
        expected.extend(kustomize("istio", filter, ROOT));
        if values["monitoring"]["enabled"] == true {
            expected.extend(kustomize("monitoring", &[], NAMESPACE));
        }
        let (actual, expected) = (compared(chart(&values)), compared(expected));
        assert!(actual.keys().eq(expected.keys()), "{values}: {:?}", actual.keys());
        for (name, object) in &actual {
            assert_eq!(object, &expected[name], "{values}: {name}");
        }
    }
}
