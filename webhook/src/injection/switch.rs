//! Which rewrite a pod's probes have: this project's rather than Istio's.

use serde_json::Value;

use super::metadata::{Changes, Subject};
use crate::rewrite::{Malformed, REWRITE_ANNOTATION, Rewrite};

/// Whether this project rewrites a pod, whatever Istio does.
pub const OWN_REWRITE_ANNOTATION: &str = "app-health/rewrite";

/// Switches Istio's rewrite off and this project's on, where the pod says nothing of either itself.
///
/// # Errors
/// A value of the pod has a type that no pod can have.
pub fn switch(pod: &Value) -> Result<Rewrite, Malformed> {
    let pod = Subject::read(pod, &[])?;
    let mut changes = Changes::default();
    let says = |name: &&str| pod.annotation(name).is_some();
    if ![REWRITE_ANNOTATION, OWN_REWRITE_ANNOTATION].iter().any(says) {
        changes.annotation(REWRITE_ANNOTATION, "false");
        changes.annotation(OWN_REWRITE_ANNOTATION, "true");
    }
    Ok(Rewrite { patch: pod.patch(changes), ..Rewrite::default() })
}
