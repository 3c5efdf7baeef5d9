//! The chart as the real Helm renders it.

use std::path::Path;

use serde_json::Value;

use crate::manifest::documents;
use crate::process::{self, Run};
use crate::program::{root, tool};

/// Where the chart is.
pub const CHART: &str = "envoy-config/helm/app-health";
/// The least that it takes. (A Helm that `go install` has built knows no version of its own.)
const KUBERNETES: &str = "1.29.0";

/// The release app-health in this namespace, with these values.
///
/// # Panics
/// Without Helm, or where it refuses, with what it says.
pub fn render(namespace: &str, values: &Value) -> Vec<Value> {
    documents(&template(&root().join(CHART), namespace, values).succeeded())
}

/// The same of a chart anywhere, and whether Helm takes it.
///
/// # Panics
/// Without Helm.
pub fn template(chart: &Path, namespace: &str, values: &Value) -> Run {
    let mut command = process::command(tool("HELM", "helm"));
    command.args(["template", "app-health"]).arg(chart);
    command.args(["--namespace", namespace, "--kube-version", KUBERNETES, "--values", "-"]);
    process::run(&mut command, values.to_string())
}
