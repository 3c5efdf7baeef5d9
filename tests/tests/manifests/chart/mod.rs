//! The chart, rendered by the real Helm.
//!
//! | module | what it holds |
//! |---|---|
//! | `drift` | the same objects as the real Kustomize makes of the folders beside it |
//! | `release` | what a release ships of it |
//! | `refused` | values that it does not take, and what it says |
//! | `values` | what each value does |

mod drift;
mod refused;
mod release;
mod values;

use app_health_tests::helm::render;
use serde_json::{Value, json};

const NAMESPACE: &str = "app-health";
/// What the EnvoyFilter has before somebody puts a sum in.
const NO_SUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// These values, beside a sum.
fn with_sum(values: &Value) -> Value {
    let mut all = json!({"wasm": {"sha256": NO_SUM}});
    json_patch::merge(&mut all, values);
    all
}

fn chart(values: &Value) -> Vec<Value> {
    render(NAMESPACE, &with_sum(values))
}

fn is_hook(object: &Value) -> bool {
    object["metadata"]["annotations"].get("helm.sh/hook").is_some()
}
