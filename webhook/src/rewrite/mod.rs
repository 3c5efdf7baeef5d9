//! A pod's probes rewritten, and restored.

use std::fmt;

use serde_json::Value;

use crate::patch::{Operation, Pointer};
use crate::path::Kind;

/// What a rewrite depends on besides the pod.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether pods without the annotation are rewritten.
    pub default_rewrite: bool,
    /// The port that probes are sent to, where no annotation names another.
    pub status_port: u16,
    /// The names of sidecar containers; the first one found in the pod is its sidecar.
    pub sidecars: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { default_rewrite: true, status_port: 15020, sidecars: vec!["istio-proxy".to_owned()] }
    }
}

/// What a rewrite comes to: all of it made in one pass, so that the parts cannot disagree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rewrite {
    /// To be applied to the pod; empty where nothing changes.
    pub patch: Vec<Operation>,
    /// What a user should know.
    pub warnings: Vec<Warning>,
    /// Every probe and hook of the pod but the sidecar's, in the pod's order.
    pub probes: Vec<Report>,
}

/// Something that stays as it was, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// `None` where it concerns the whole pod.
    pub probe: Option<ProbeName>,
    /// One line.
    pub reason: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(probe) = &self.probe {
            write!(f, "{probe}: ")?;
        }
        f.write_str(&self.reason)
    }
}

/// A probe or hook of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeName {
    /// The container's name.
    pub container: String,
    /// Which of its probes.
    pub kind: Kind,
}

impl fmt::Display for ProbeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.container, self.kind.field())
    }
}

/// What became of one probe: a line of `--explain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which probe.
    pub probe: ProbeName,
    /// The handler as it was, for people: `httpGet :80/index.html`.
    pub from: String,
    /// Its path and port now, or why it stays.
    pub to: Result<String, String>,
}

/// A value of the pod has a type that no pod can have: nothing of the pod is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The field.
    pub at: Pointer,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at.as_str(), self.problem)
    }
}

impl std::error::Error for Malformed {}

/// Rewrites the probes of `pod` (a Pod, or a pod template: `metadata` and `spec`).
pub fn rewrite(_pod: &Value, _options: &Options) -> Result<Rewrite, Malformed> {
    todo!()
}

/// Gives back the original probes of a rewritten pod.
pub fn restore(_pod: &Value, _options: &Options) -> Result<Rewrite, Malformed> {
    todo!()
}

/// The patch that gives a pod without a sidecar a minimal one of this name, to try a rewrite out.
pub fn add_sidecar(_pod: &Value, _name: &str) -> Result<Vec<Operation>, Malformed> {
    todo!()
}
