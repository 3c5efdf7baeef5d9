//! The objects of the Prometheus Operator. No crate has its types: these hold the fields that are used,
//! named as in its CRDs (`monitoring.coreos.com_podmonitors.yaml` and its like), and take no others.

use std::collections::BTreeMap;
use std::fs;

use app_health_tests::kustomize::{build, build_text};
use app_health_tests::mesh::PodComponent;
use app_health_tests::program::root;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::built::{only, variants};
use crate::kubernetes::{self, round_trip};

const FOLDER: &str = "envoy-config/monitoring";

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Object<S> {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    spec: S,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodMonitor {
    namespace_selector: NamespaceSelector,
    selector: LabelSelector,
    pod_metrics_endpoints: Vec<Endpoint>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ServiceMonitor {
    namespace_selector: NamespaceSelector,
    selector: LabelSelector,
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NamespaceSelector {
    #[serde(skip_serializing_if = "Option::is_none")]
    any: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    match_names: Option<Vec<String>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Endpoint {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_port: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relabelings: Option<Vec<Relabeling>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric_relabelings: Option<Vec<Relabeling>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Relabeling {
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_labels: Option<Vec<String>>,
    regex: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replacement: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Keep,
    LabelDrop,
    Replace,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Alert>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Alert {
    alert: String,
    expr: String,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    lasts: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

fn check(object: &Value) -> Result<(), String> {
    let text = |name: &str| object[name].as_str().unwrap_or_default();
    match (text("apiVersion"), text("kind")) {
        ("monitoring.coreos.com/v1", "PodMonitor") => round_trip::<Object<PodMonitor>>(object),
        ("monitoring.coreos.com/v1", "ServiceMonitor") => {
            round_trip::<Object<ServiceMonitor>>(object)
        }
        ("monitoring.coreos.com/v1", "PrometheusRule") => round_trip::<Object<Rules>>(object),
        _ => kubernetes::check(object),
    }
}

#[test]
fn every_object_is_one_of_the_operators() {
    let objects = build(FOLDER);
    assert_eq!(objects.len(), 5);
    for object in objects {
        assert_eq!(check(&object), Ok(()), "{object}");
        let mut misspelt = object;
        misspelt["metadata"]["label"] = Value::Null;
        assert!(check(&misspelt).is_err());
    }
}

/// As the README says it.
#[test]
fn each_has_the_label_that_prometheus_asks_for_and_the_webhooks_can_be_left_out() {
    let readme = fs::read_to_string(root().join(FOLDER).join("README.md")).expect("the README");
    let block = |begins: &str| {
        let (_, block) = readme.split_once(begins).expect("the block");
        block.split("```").next().expect("its end").to_owned()
    };
    let (all, patch) = (block("```yaml\nnamespace"), block("```yaml\n# no webhook\n"));
    let all = format!("namespace{all}");
    for (text, count) in [(all.clone(), 5), (all + &patch, 3)] {
        let objects = build_text(&text);
        assert_eq!(objects.len(), count);
        for object in objects {
            assert_eq!(object["metadata"]["labels"]["release"], "kube-prometheus-stack");
            assert_eq!(object["metadata"]["namespace"], "monitoring");
            assert!(count == 5 || object["metadata"]["name"] != "app-health-webhook");
        }
    }
}

#[test]
fn the_webhooks_service_is_found_and_its_port_too() {
    let objects = build(FOLDER);
    let monitor = &only(&objects, "ServiceMonitor")["spec"];
    for variant in variants() {
        let service = &only(&variant.objects, "Service")["metadata"];
        assert_eq!(monitor["namespaceSelector"]["matchNames"][0], service["namespace"]);
        for (name, value) in monitor["selector"]["matchLabels"].as_object().expect("labels") {
            assert_eq!(service["labels"][name], *value);
        }
        let pod = &only(&variant.objects, "Deployment")["spec"]["template"]["spec"];
        let ports = pod["containers"][0]["ports"].as_array().expect("ports");
        let port = &monitor["endpoints"][0]["targetPort"];
        assert!(ports.iter().any(|it| it["name"] == *port), "{port}");
    }
}

#[test]
fn pods_with_the_filter_are_found() {
    let objects = build(FOLDER);
    let selector = &only(&objects, "PodMonitor")["spec"]["selector"]["matchExpressions"];
    let labels = PodComponent::shipped().template["metadata"]["labels"].clone();
    for requirement in selector.as_array().expect("requirements") {
        let value = labels.get(requirement["key"].as_str().expect("a key"));
        let excluded =
            requirement["values"].as_array().into_iter().flatten().any(|it| Some(it) == value);
        assert!(value.is_some() && !excluded, "{requirement}");
    }
}
