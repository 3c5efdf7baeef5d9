//! Values that the chart does not take: what it says names them. (What the cluster lacks, it says as well; that takes
//! a cluster.)

use std::fs;

use app_health_tests::helm::{CHART, template};
use app_health_tests::program::root;
use serde_json::{Value, json};

use super::{NAMESPACE, with_sum};

#[test]
fn a_wrong_value_is_named() {
    for (values, said) in [
        (json!({"wasm": {"sha256": ""}}), "wasm.sha256: the sum of the filter's .wasm"),
        (json!({"wasm": {"sha256": "0a"}}), "at '/wasm/sha256'"),
        (json!({"wasm": {"url": "ftp://files"}}), "at '/wasm/url'"),
        (json!({"revision": true}), "at '/revision'"),
        (json!({"revision": "false"}), "at '/revision'"),
        (json!({"revision": "R/2"}), "at '/revision'"),
        (json!({"certificate": "self"}), "at '/certificate'"),
        (json!({"apiServerPorts": []}), "at '/apiServerPorts'"),
        (json!({"apiServerPorts": [0]}), "at '/apiServerPorts/0'"),
        (json!({"rewrite": "all"}), "at '/rewrite'"),
        (json!({"failurePolicy": "Retry"}), "at '/failurePolicy'"),
        (json!({"replicas": 0}), "at '/replicas'"),
        (json!({"image": {"digest": "sha256:1"}}), "at '/image/digest'"),
        (json!({"image": {"repository": "a: b"}}), "at '/image/repository'"),
        (json!({"excludedNamespaces": ["A"]}), "at '/excludedNamespaces/0'"),
        (json!({"env": {"PATH": "/"}}), "propertyName 'PATH'"),
        (json!({"env": {"APP_HEALTH_LISTEN": ":1"}}), "propertyName 'APP_HEALTH_LISTEN'"),
        (json!({"env": {"APP_HEALTH_STATUS_PORT": 15021}}), "at '/env/APP_HEALTH_STATUS_PORT'"),
        (json!({"agent": {"user": "root"}}), "at '/agent/user'"),
        (json!({"agent": {"user": 0}}), "at '/agent/user'"),
        (json!({"agent": {"user": 1337}}), "at '/agent/user'"),
        (json!({"agent": {"resources": {"cpu": 1}}}), "at '/agent/resources'"),
        (json!({"statusCodes": "all"}), "at '/statusCodes'"),
        (json!({"ipv4only": true}), "additional properties 'ipv4only' not allowed"),
    ] {
        let run = template(&root().join(CHART), NAMESPACE, &with_sum(&values));
        assert_ne!(run.exit, 0, "{values}: {}", run.stdout);
        assert!(run.stderr.contains(said), "{values}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{values}");
    }
}

/// Null takes a default away, also one that the API server would fill in otherwise.
#[test]
fn no_value_can_be_taken_away() {
    let text = fs::read_to_string(root().join(CHART).join("values.schema.json")).expect("it");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let names = schema["properties"].as_object().expect("it").keys();
    for name in names.filter(|name| *name != "global") {
        let mut values = with_sum(&json!({}));
        values[name] = Value::Null;
        let run = template(&root().join(CHART), NAMESPACE, &values);
        assert!(run.stderr.contains(&format!("missing property '{name}'")), "{}", run.stderr);
        assert_eq!(run.stdout, "", "{name}");
    }
}

/// A value without a place in the schema would be refused, and one in the schema alone would do nothing.
#[test]
fn the_schema_has_the_values_that_there_are() {
    let text = fs::read_to_string(root().join(CHART).join("values.schema.json")).expect("it");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let mut schema: Vec<_> = schema["properties"].as_object().expect("it").keys().collect();
    schema.retain(|name| *name != "global");
    let values = fs::read_to_string(root().join(CHART).join("values.yaml")).expect("the values");
    let is_name = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase());
    let mut names: Vec<_> =
        values.lines().filter(is_name).filter_map(|line| line.split(':').next()).collect();
    names.sort_unstable();
    assert_eq!(schema, names);
}
