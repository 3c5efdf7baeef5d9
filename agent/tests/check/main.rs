//! The command `check`, run as a user runs it.
//!
//! | module | what it shows |
//! |---|---|
//! | `pods` | each code that pods have: the smallest input that shows it, and a sibling that does not |
//! | `webhook` | the same of webhooks: their CAs, their pods, and which pods they choose |
//! | `listener` | the same of labels and EnvoyFilters |
//! | `output` | exit codes, the table, the shape of the JSON, what is said to be left out |
//! | `input` | all kinds of input, wrong and hostile ones, long Lists |

mod input;
mod listener;
mod output;
mod pods;
mod webhook;

use app_health_tests::process::{self, Run};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_app-health-agent");

/// Runs `check -f -` with further arguments, separated by spaces, and this input.
fn check(args: &str, input: impl AsRef<[u8]>) -> Run {
    let mut command = process::command(BINARY);
    command.args(["check", "-f", "-"]).args(args.split_whitespace());
    process::run(&mut command, input)
}

/// What is found in these objects, as `code container/probe reason`, in order.
fn found(objects: &[Value]) -> Vec<String> {
    found_by("", objects)
}

fn found_by(args: &str, objects: &[Value]) -> Vec<String> {
    let run = check(&format!("-o json {args}"), list(objects));
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| {
        panic!("{error}: {} {}", run.stdout, run.stderr);
    });
    let findings = report["findings"].as_array().unwrap();
    let text = |finding: &Value| {
        let [code, container, probe, reason] = ["code", "container", "probe", "reason"]
            .map(|name| finding[name].as_str().unwrap_or_default().to_owned());
        let probe = if probe.is_empty() { probe } else { format!("{container}/{probe}") };
        [code, probe, reason].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
    };
    findings.iter().map(text).collect()
}

/// As kubectl prints objects.
fn list(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "items": objects, "kind": "List"}).to_string()
}

/// A namespace whose pods are rewritten.
fn chosen() -> Value {
    namespace(json!({"app-health/rewrite": "enabled"}))
}

fn namespace(labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}})
}

/// A pod of the cluster, in that namespace, with a sidecar that has this variable and a container
/// `web` that has these fields.
fn pod(variable: &str, web: Value) -> Value {
    let mut container = json!({"name": "web"});
    container.as_object_mut().unwrap().extend(web.as_object().unwrap().clone());
    let env = json!([{"name": "ISTIO_KUBE_APP_PROBERS", "value": variable}]);
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "1"},
        "spec": {"containers": [container, {"name": "istio-proxy", "env": env}]},
    })
}

/// One whose only probe is rewritten.
fn rewritten(variable: &str) -> Value {
    let probe = json!({"httpGet": {"path": "/app-health/web/readyz", "port": 15020}});
    pod(variable, json!({"readinessProbe": probe}))
}

/// What the variable says of it.
const RECORDED: &str = r#"{"/app-health/web/readyz":{"httpGet":{"port":80}}}"#;

/// The same object with this value there.
fn with(object: &Value, pointer: &str, value: Value) -> Value {
    let mut object = object.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[key.replace("~1", "/")] = value;
    object
}

/// As a manifest has it that is not applied yet: without what the API server adds.
fn manifest(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"].as_object_mut().unwrap().remove("uid");
    object
}

/// A Deployment of such pods, before its injection.
fn deployment(web: Value) -> Value {
    let mut pod = pod("", web);
    pod["spec"]["containers"].as_array_mut().unwrap().pop();
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {"spec": pod["spec"]}},
    })
}
