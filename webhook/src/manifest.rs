//! Where the pods are in a manifest.

use serde_json::Value;

use crate::patch::Pointer;
use crate::rewrite::Malformed;

/// A pod, or a pod template, within a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct PodAt<'a> {
    /// Where in the manifest it stands: `/spec/template`, or `` for a Pod.
    pub pointer: Pointer,
    /// The object that holds it: a `List`'s item, else the manifest itself.
    pub owner: Owner<'a>,
    /// `metadata` and `spec`.
    pub pod: &'a Value,
}

/// What names an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    /// `Deployment`
    pub kind: &'a str,
    /// Empty where it has none.
    pub namespace: &'a str,
    /// `metadata.name`, else `metadata.generateName`, else empty.
    pub name: &'a str,
}

/// The owner that a manifest is, whatever its kind.
pub fn owner(_manifest: &Value) -> Owner<'_> {
    todo!()
}

/// The pods of a Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job,
/// CronJob, or a List of these; none of anything else.
pub fn pods(_manifest: &Value) -> Result<Vec<PodAt<'_>>, Malformed> {
    todo!()
}
