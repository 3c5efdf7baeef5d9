//! What is done to a pod that is asked about.

use serde_json::Value;

use super::response::Annotations;
use crate::injection::{Filter, filter, switch};
use crate::rewrite::{Malformed, Options, Rewrite, STATUS_ANNOTATION, Stayed, rewrite};

/// What is done to a pod. A review does not say what it is for, so each of these has a path of its own.
#[derive(Clone, Debug)]
pub enum Task {
    /// Its probes are rewritten.
    Rewrite,
    /// It is given the filter, before Istio's injector reads it.
    Filter(Filter),
    /// Istio's rewrite is switched off for it, and this one on, before Istio's injector reads it.
    Switch,
}

impl Task {
    /// One word each, as a metric's label.
    pub const LABELS: [&'static str; 3] = ["rewrite", "filter", "switch"];

    /// Its word.
    pub fn label(&self) -> &'static str {
        let [rewrite, filter, switch] = Self::LABELS;
        match self {
            Task::Rewrite => rewrite,
            Task::Filter(_) => filter,
            Task::Switch => switch,
        }
    }

    pub(super) fn edit(&self, pod: &Value, options: &Options) -> Result<Rewrite, Malformed> {
        match self {
            Task::Rewrite => rewrite(pod, options),
            Task::Filter(by) => filter(pod, by, &options.sidecars),
            Task::Switch => switch(pod),
        }
    }

    /// What does not happen to a pod that is left as it is: the end of a warning.
    pub(super) fn undone(&self) -> &'static str {
        match self {
            Task::Rewrite => "the pod's probes stay as they were",
            Task::Filter(_) => "the pod is not given the filter",
            Task::Switch => "the pod's rewrite is not switched",
        }
    }

    /// What the audit log is told.
    pub(super) fn audited(&self, pod: &Value, edited: &Rewrite) -> Annotations {
        let result = |done: &str| {
            let is_done = !edited.patch.is_empty() && edited.warnings.is_empty();
            is_done
                .then_some(done)
                .or(edited.warnings.first().map(|it| it.cause.label()))
                .map(str::to_owned)
        };
        match self {
            // Where the webhook is called again after an injector.
            Task::Rewrite if is_marked(pod) => Annotations::new(),
            Task::Rewrite => of_rewrite(edited),
            Task::Filter(_) => result("given").map(|it| ("filter", it)).into_iter().collect(),
            Task::Switch => result("switched").map(|it| ("rewrite", it)).into_iter().collect(),
        }
    }
}

/// Whether the pod was rewritten before.
fn is_marked(pod: &Value) -> bool {
    let annotations = pod.get("metadata").and_then(|metadata| metadata.get("annotations"));
    annotations.is_some_and(|annotations| annotations.get(STATUS_ANNOTATION).is_some())
}

fn of_rewrite(edited: &Rewrite) -> Annotations {
    let mut annotations = Annotations::new();
    let rewritten = edited.probes.iter().filter(|probe| probe.to.is_ok()).count();
    if rewritten > 0 {
        annotations.insert("probes-rewritten", rewritten.to_string());
    }
    let stayed = Stayed::of(&edited.warnings);
    if !stayed.is_empty() {
        annotations.insert("probes-stayed", stayed.to_string());
    }
    annotations
}
