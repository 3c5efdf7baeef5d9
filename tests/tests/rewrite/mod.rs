//! The rewrite of pods, and back.
//!
//! | module | what it holds |
//! |---|---|
//! | `golden` | pairs of files under `tests/golden`: a manifest, and what becomes of it |
//! | `api` | the types of the Kubernetes API |
//! | `malformed` | pods that no API server would take, one a line |
//! | `sizes` | the longest variable, the largest annotations |
//! | `qos` | a pod's QoS class, by the API server's rules, before and after |
//! | `properties` | what holds for every pod, by proptest over generated ones |
//! | `injection` | the same of pods before Istio's injector reads them |
//! | `reports` | the rows of `--explain` |
//! | `manifests` | where the pods of a manifest are; the minimal sidecar |
//! | `patches` | JSON Patch against the crate json-patch |

mod api;
mod golden;
mod injection;
mod malformed;
mod manifests;
mod patches;
mod pods;
mod properties;
mod qos;
mod reports;
mod sizes;
pub mod yaml;

use app_health_webhook::patch::apply;
use app_health_webhook::rewrite::{Malformed, Options, Rewrite, restore, rewrite};
use serde_json::{Value, json};

/// The pod after its rewrite, and what else came of it.
fn rewritten(pod: &Value, options: &Options) -> Result<(Value, Rewrite), Malformed> {
    rewrite(pod, options).map(|rewrite| (patched(pod, &rewrite), rewrite))
}

/// The pod after restoring, and what else came of it.
fn restored(pod: &Value, options: &Options) -> Result<(Value, Rewrite), Malformed> {
    restore(pod, options).map(|rewrite| (patched(pod, &rewrite), rewrite))
}

fn patched(pod: &Value, rewrite: &Rewrite) -> Value {
    let mut patched = pod.clone();
    apply(&mut patched, &rewrite.patch).expect("the patch fits its pod");
    patched
}

/// A pod as the API server would hold it. Null, empty and absent are the same to it, so `restore` need not
/// tell them apart.
fn without_empties(mut value: Value) -> Value {
    let is_empty = |it: &Value| [json!(null), json!(""), json!([]), json!({})].contains(it);
    match &mut value {
        Value::Object(members) => {
            members.values_mut().for_each(|it| *it = without_empties(it.take()));
            members.retain(|_, it| !is_empty(it));
        }
        Value::Array(items) => items.iter_mut().for_each(|it| *it = without_empties(it.take())),
        _ => {}
    }
    value
}
