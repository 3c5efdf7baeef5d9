//! What a rewrite comes to.

use std::fmt;

pub use super::cause::Cause;
use super::text::InLine;
use crate::handler::HandlerKind;
use crate::patch::{Operation, Pointer};
use crate::path::ProbeKind;

/// What a rewrite comes to: all of it is made in one pass, so that the parts cannot disagree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rewrite {
    /// To be applied to the pod; empty where nothing changes.
    pub patch: Vec<Operation>,
    /// What a user should know: first of the pod, then of its probes. Not all of them are
    /// [told](Warning::is_told).
    pub warnings: Vec<Warning>,
    /// Every probe and hook of the pod but the sidecar's, in the pod's order; none without
    /// [`Options::reports`](super::options::Options::reports).
    pub probes: Vec<Report>,
}

/// Something that stays as it was, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// `None` where it concerns the whole pod.
    pub probe: Option<ProbeName>,
    /// What it is about.
    pub cause: Cause,
    /// One line.
    pub reason: String,
}

impl Warning {
    /// One that concerns the whole pod.
    pub(crate) fn of_pod(cause: Cause, reason: impl Into<String>) -> Self {
        Self { probe: None, cause, reason: reason.into() }
    }

    /// Whether its user is warned. What they asked for themselves is only marked and counted.
    pub fn is_told(&self) -> bool {
        self.cause != Cause::Excluded
    }
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
    pub kind: ProbeKind,
}

impl fmt::Display for ProbeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", InLine(&self.container), self.kind.field())
    }
}

/// What became of one probe: a line of `--explain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which probe.
    pub probe: ProbeName,
    /// Its handler as it was; `None` where that is one of a later Kubernetes.
    pub handler: Option<HandlerKind>,
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
