//! A pod before and after. The fuzz targets take this file, too.

use app_health_webhook::patch::apply;
use app_health_webhook::rewrite::{Malformed, Options, Rewrite, restore, rewrite};
use serde_json::{Value, json};

/// The pod after its rewrite, and what else came of it.
pub fn rewritten(pod: &Value, options: &Options) -> Result<(Value, Rewrite), Malformed> {
    rewrite(pod, options).map(|rewrite| (patched(pod, &rewrite), rewrite))
}

/// The pod after restoring, and what else came of it.
pub fn restored(pod: &Value, options: &Options) -> Result<(Value, Rewrite), Malformed> {
    restore(pod, options).map(|rewrite| (patched(pod, &rewrite), rewrite))
}

pub fn patched(pod: &Value, rewrite: &Rewrite) -> Value {
    let mut patched = pod.clone();
    apply(&mut patched, &rewrite.patch).expect("the patch fits its pod");
    patched
}

/// A pod as the API server would hold it. Null, empty and absent are the same to it, so `restore` need not
/// tell them apart.
pub fn without_empties(mut value: Value) -> Value {
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
