//! AdmissionReview in, AdmissionReview out: what the API server asks about a new pod.
//!
//! | module | what it decides |
//! |---|---|
//! | `request` | what is an AdmissionReview, and what of it concerns us |
//! | `task` | what is done to a pod, and what of that is told |
//! | `response` | the answer's text |
//! | `warnings` | warnings within the lengths that the API server takes |
//!
//! Nothing is ever refused: a pod with which a task cannot be done comes in as it is, with a warning.

mod request;
mod response;
mod task;
#[cfg(test)]
mod tests;
mod warnings;

use std::fmt;

use serde_json::Value;

pub use self::task::Task;
pub use self::warnings::SPEAKER;

use crate::manifest::owner;
use crate::patch::Pointer;
use crate::rewrite::{Cause, Malformed, Options, Report, Rewrite, Warning};
use request::{Request, Review};
use response::Annotations;

/// The answer to a review, and what is to be logged and counted of it.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The AdmissionReview to answer with: JSON.
    pub body: String,
    /// What came of it.
    pub outcome: ReviewOutcome,
    /// The pod's namespace; empty where it has none.
    pub namespace: String,
    /// The pod's name or, where it has none yet, its generateName.
    pub name: String,
    /// Whether nothing will come of the request.
    pub dry_run: bool,
    /// The probes that are rewritten.
    pub rewritten: Vec<Report>,
    /// All warnings, uncut: a pod may have as many as probes.
    pub warnings: Vec<Warning>,
    /// What is said of them, cut as the API server asks for it: for a log, too.
    pub said: Vec<String>,
}

/// What came of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewOutcome {
    /// The pod is patched.
    Patched,
    /// The pod is as it should be, or has to stay as it is.
    Unchanged,
    /// A field of the pod has a type that no pod can have; it is left to the API server.
    Malformed,
    /// No pod, or none that is being created.
    NotConcerned,
}

impl ReviewOutcome {
    /// All of them.
    pub const ALL: [ReviewOutcome; 4] = [
        ReviewOutcome::Patched,
        ReviewOutcome::Unchanged,
        ReviewOutcome::Malformed,
        ReviewOutcome::NotConcerned,
    ];

    /// In snake case, as a metric's label.
    pub fn label(self) -> &'static str {
        match self {
            ReviewOutcome::Patched => "patched",
            ReviewOutcome::Unchanged => "unchanged",
            ReviewOutcome::Malformed => "malformed",
            ReviewOutcome::NotConcerned => "not_concerned",
        }
    }
}

/// A body is no AdmissionReview of v1: there is no uid to answer to. What is said of it is short, and
/// quotes nothing of the body but its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoReview(String);

impl fmt::Display for NoReview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no AdmissionReview: {}", self.0)
    }
}

impl std::error::Error for NoReview {}

/// Answers the review that `body` holds, of a pod to which this is to be done.
///
/// # Errors
/// It holds none: one line that says why.
pub fn admit(body: &[u8], task: &Task, options: &Options) -> Result<Admission, NoReview> {
    let request = Review::parse(body)?;
    if !request.creates_pod() {
        let body = response::untouched(&request.uid);
        return Ok(Admission::new(&request, body, ReviewOutcome::NotConcerned));
    }
    let Some(object) = request.object else {
        return Ok(malformed(&request, task, "request.object: there is none"));
    };
    Ok(match serde_json::from_str(object.get()) {
        Ok(pod) => admit_pod(&request, &pod, task, options),
        Err(error) => malformed(&request, task, &format!("request.object: {error}")),
    })
}

/// Answers a review that is too large to be read whole: its object comes in as it is, with a warning.
/// `beginning` is as much of the review's text as was read, and `limit` the bytes that one may have.
///
/// # Errors
/// The uid is not where an API server writes it, at the beginning of the request.
pub fn admit_too_large(beginning: &[u8], limit: usize, task: &Task) -> Result<Admission, NoReview> {
    let request = Request::beginning(beginning).ok_or_else(|| NoReview(too_large(limit)))?;
    Ok(left_alone(&request, ReviewOutcome::Unchanged, task, Cause::TooLarge, &too_large(limit)))
}

fn too_large(limit: usize) -> String {
    format!("the review is larger than {} KiB", limit >> 10)
}

fn admit_pod(request: &Request<'_>, pod: &Value, task: &Task, options: &Options) -> Admission {
    let mut admission = match task.edit(pod, options) {
        Ok(edited) => {
            let audited = task.audited(pod, &edited);
            patched(request, edited, audited)
        }
        Err(Malformed { at, problem }) if at == Pointer::root() => {
            malformed(request, task, &format!("request.object: {problem}"))
        }
        Err(error) => malformed(request, task, &error.to_string()),
    };
    let owner = owner(pod);
    admission.name = owner.name.to_owned();
    if admission.namespace.is_empty() {
        admission.namespace = owner.namespace.to_owned();
    }
    admission
}

fn patched(request: &Request<'_>, edited: Rewrite, audited: Annotations) -> Admission {
    let outcome =
        if edited.patch.is_empty() { ReviewOutcome::Unchanged } else { ReviewOutcome::Patched };
    let said = warnings::cut(&edited.warnings);
    let body = response::of_pod(&request.uid, &edited.patch, audited, &said);
    let rewritten = edited.probes.into_iter().filter(|probe| probe.to.is_ok()).collect();
    let admission = Admission::new(request, body, outcome);
    Admission { rewritten, warnings: edited.warnings, said, ..admission }
}

fn malformed(request: &Request<'_>, task: &Task, problem: &str) -> Admission {
    left_alone(request, ReviewOutcome::Malformed, task, Cause::Malformed, problem)
}

fn left_alone(
    request: &Request<'_>,
    outcome: ReviewOutcome,
    task: &Task,
    cause: Cause,
    problem: &str,
) -> Admission {
    let reason = format!("{problem}; {}", task.undone());
    let warnings = vec![Warning::of_pod(cause, reason)];
    let said = warnings::cut(&warnings);
    let body = response::of_pod(&request.uid, &[], Annotations::new(), &said);
    Admission { warnings, said, ..Admission::new(request, body, outcome) }
}

impl Admission {
    fn new(request: &Request<'_>, body: String, outcome: ReviewOutcome) -> Self {
        Self {
            body,
            outcome,
            namespace: request.namespace().to_owned(),
            name: String::new(),
            dry_run: request.dry_run(),
            rewritten: Vec::new(),
            warnings: Vec::new(),
            said: Vec::new(),
        }
    }
}
