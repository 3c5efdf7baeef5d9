//! Which rewrite a pod's probes have: this project's rather than Istio's.

use serde_json::Value;

use super::metadata::{Changes, Subject};
use crate::rewrite::{ISTIO_REWRITE_ANNOTATION, Malformed, REWRITE_ANNOTATION, Rewrite};

/// Switches Istio's rewrite off and this project's on, where the pod says nothing of either itself.
///
/// # Errors
/// A value of the pod has a type that no pod can have.
pub fn switch(pod: &Value) -> Result<Rewrite, Malformed> {
    let pod = Subject::read(pod, &[])?;
    let mut changes = Changes::default();
    let says = |name: &&str| pod.annotation(name).is_some();
    if ![ISTIO_REWRITE_ANNOTATION, REWRITE_ANNOTATION].iter().any(says) {
        changes.annotation(ISTIO_REWRITE_ANNOTATION, "false");
        changes.annotation(REWRITE_ANNOTATION, "true");
    }
    Ok(Rewrite { patch: pod.patch(changes), ..Rewrite::default() })
}
