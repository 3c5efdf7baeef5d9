//! A minimal sidecar, so that the rewrite of a plain Deployment can be tried out.

use serde_json::{Value, json};

use super::containers::{insert, insert_native};
use crate::patch::Operation;
use crate::rewrite::read::{List, Pod};
use crate::rewrite::result::Malformed;

const IMAGE: &str = "envoyproxy/envoy:distroless-v1.40-latest";

/// The patch that gives a pod without a sidecar a minimal one of this name, to try a rewrite out.
///
/// A pod that comes to an end (`restartPolicy` other than Always) gets a native sidecar, which
/// does not keep it from ending.
///
/// # Errors
/// A value of the pod has a type that no pod can have.
pub fn add_sidecar(pod: &Value, name: &str) -> Result<Vec<Operation>, Malformed> {
    let names = [name.to_owned()];
    let has_spec = pod.get("spec").is_some_and(Value::is_object);
    let pod = Pod::read(pod, &names)?;
    if !has_spec || pod.sidecar(&names).is_some() {
        return Ok(Vec::new());
    }
    let sidecar = json!({"name": name, "image": IMAGE});
    Ok(vec![if pod.ends {
        insert_native(&pod, 0, sidecar)
    } else {
        insert(&pod, List::Regular, usize::MAX, sidecar)
    }])
}
