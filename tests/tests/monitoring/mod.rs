//! What `envoy-config/monitoring/` says of the metrics: its rules, its dashboard.
//!
//! | module | what it shows |
//! |---|---|
//! | `alerts` | each alert fires when it should, and not else: by promtool |
//! | `dashboard` | the dashboard is one |
//! | `queries` | all queries of both, by a real Prometheus, return what was provoked |
//! | `prometheus`, `world` | that Prometheus, and what it sees |

use std::sync::OnceLock;

use app_health_tests::kustomize;
use serde_json::{Value, json};

mod alerts;
mod dashboard;
mod prometheus;
mod queries;
mod world;

/// What Kustomize makes of it, built once.
fn objects() -> &'static [Value] {
    static OBJECTS: OnceLock<Vec<Value>> = OnceLock::new();
    OBJECTS.get_or_init(|| kustomize::build("envoy-config/monitoring"))
}

/// The objects of this kind.
fn of_kind(kind: &str) -> impl Iterator<Item = &'static Value> {
    objects().iter().filter(move |object| object["kind"] == kind)
}

/// The items of a list.
fn items(list: &Value) -> &[Value] {
    list.as_array().expect("a list")
}

/// A text.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}"))
}

/// A file of rules as Prometheus reads it, with the groups of all PrometheusRules.
fn rule_file() -> Value {
    let groups: Vec<_> =
        of_kind("PrometheusRule").flat_map(|it| items(&it["spec"]["groups"])).collect();
    json!({ "groups": groups })
}

/// All alerts.
fn alerts() -> Vec<Value> {
    items(&rule_file()["groups"]).iter().flat_map(|group| items(&group["rules"]).to_vec()).collect()
}

/// The dashboard, as Grafana's sidecar gets it.
fn dashboard() -> Value {
    let map = of_kind("ConfigMap").next().expect("a ConfigMap");
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
    serde_json::from_str(text(&map["data"]["app-health.json"])).expect("JSON")
}
