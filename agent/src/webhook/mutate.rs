//! One review: read, answered, counted, logged.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use app_health_webhook::admission::{
    Admission, NoReview, ReviewOutcome, SPEAKER, Task, admit, admit_too_large,
};
use app_health_webhook::injection::{Filter, Mesh};
use app_health_webhook::rewrite::{Cause, Options, Warning};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};
use log::Level;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::body::{BodyError, Counted, LARGEST, Memory};
use super::metrics::Metrics;
use crate::document;
use crate::logger;

/// Characters of a DNS name.
const LONGEST_NAME: usize = 253;

/// The time for a request, from its head until its answer is made. An API server waits 5 s for it.
const DEADLINE: Duration = Duration::from_secs(3);

/// Where the API server sends reviews of pods whose probes are to be rewritten.
const REWRITE: &str = "/mutate";
/// And of pods that this is to be done to first.
const SWITCH: &str = "/mutate/switch";
const FILTER: &str = "/mutate/filter/";

/// Bytes that a review may have whose pod is then to be rewritten here rather than by Istio: less than
/// [`LARGEST`] by what Istio's injector and others may add until then.
const LARGEST_TO_SWITCH: usize = LARGEST - (128 << 10);

/// What all reviews share.
pub struct Reviews {
    options: Options,
    mesh: Arc<Mesh>,
    memory: Memory,
    metrics: Metrics,
    stopping: AtomicBool,
}

/// Why a request is not answered with a review.
enum Refusal {
    Path,
    Method,
    Slow,
    Broken,
    NoMemory,
    NoReview(NoReview),
}

impl Reviews {
    /// None was answered yet.
    pub fn new(options: Options, mesh: Arc<Mesh>) -> Self {
        let (memory, metrics) = (Memory::default(), Metrics::default());
        Self { options, mesh, memory, metrics, stopping: AtomicBool::new(false) }
    }

    /// What is counted of them.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Whether the webhook was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// From now on clients are told to use no connection again.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// The answer to any request on the port of the reviews.
    pub async fn review(&self, request: Request<Incoming>) -> Response<Counted> {
        let began = Instant::now();
        let version = request.version();
        let mut response = match self.task(request.uri().path()) {
            None => Refusal::Path.response(),
            Some(_) if request.method() != Method::POST => Refusal::Method.response(),
            Some(task) => {
                let result = self.answer(request, &task, began + DEADLINE).await;
                self.metrics.took(began.elapsed());
                self.told(&task, result)
            }
        };
        // The rest of a body that was given up may still come.
        let given_up = response.status() == StatusCode::REQUEST_TIMEOUT;
        if version < Version::HTTP_2 && (given_up || self.is_stopping()) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Counts and logs what came of a review.
    fn told(
        &self,
        task: &Task,
        result: Result<(Admission, Counted), Refusal>,
    ) -> Response<Counted> {
        match result {
            Ok((admission, body)) => {
                self.metrics.admitted(task, &admission);
                if is_worth_a_line(task, &admission) {
                    log(task, &admission);
                }
                response(StatusCode::OK, "application/json", body)
            }
            Err(refusal) => {
                log::warn!("{}: {refusal}", refusal.status().as_u16());
                self.metrics.refused(task);
                refusal.response()
            }
        }
    }

    /// What is done to pods of which a review comes on this path.
    fn task(&self, path: &str) -> Option<Task> {
        match path {
            REWRITE => Some(Task::Rewrite),
            SWITCH => Some(Task::Switch),
            _ => {
                let revision = path.strip_prefix(FILTER)?.parse().ok()?;
                let mesh = Arc::clone(&self.mesh);
                Some(Task::Filter(Filter { revision, mesh, read_yaml: document::value }))
            }
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        task: &Task,
        end: Instant,
    ) -> Result<(Admission, Counted), Refusal> {
        let largest = if matches!(task, Task::Switch) { LARGEST_TO_SWITCH } else { LARGEST };
        let read = self.memory.read(request.into_body(), largest);
        let (body, admission) = match timeout_at(end, read).await.map_err(|_| Refusal::Slow)? {
            Ok(body) => {
                // Everything runs on one thread, so that one review is parsed at a time.
                let admission = admit(body.as_ref(), task, &self.options);
                (body, admission)
            }
            Err(BodyError::TooLarge(body)) => {
                let admission = admit_too_large(body.as_ref(), largest, task);
                (body, admission)
            }
            Err(BodyError::Broken) => return Err(Refusal::Broken),
        };
        let mut admission = admission.map_err(Refusal::NoReview)?;
        let answer = self.memory.replace(body, std::mem::take(&mut admission.body));
        let answer = timeout_at(end, answer).await.map_err(|_| Refusal::NoMemory)?;
        Ok((admission, answer))
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken | Self::NoReview(_) => StatusCode::BAD_REQUEST,
            Self::NoMemory => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn response(&self) -> Response<Counted> {
        let text = self.to_string();
        let mut response = response(self.status(), "text/plain; charset=utf-8", text.into());
        if matches!(self, Self::Method) {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => {
                write!(f, "only {REWRITE}, {SWITCH} and {FILTER}REVISION are served here")
            }
            Self::Method => f.write_str("only POST"),
            Self::Slow => f.write_str("the body did not come, or found no memory, in time"),
            Self::Broken => f.write_str("the body broke off"),
            Self::NoMemory => f.write_str("no memory was free for the answer in time"),
            Self::NoReview(error) => error.fmt(f),
        }
    }
}

fn response(status: StatusCode, content_type: &'static str, body: Counted) -> Response<Counted> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A patched pod is, and one that a smaller review or another pod might have had patched: nobody else may
/// read its warning where a controller makes it. Pods without a sidecar would be too many.
fn is_worth_a_line(task: &Task, admission: &Admission) -> bool {
    let is_read = |it: &Warning| it.cause == Cause::TooLarge || matches!(task, Task::Filter(_));
    admission.outcome == ReviewOutcome::Patched || admission.warnings.iter().any(is_read)
}

/// What was done to the pod.
fn done(task: &Task, admission: &Admission) -> String {
    match (task, admission.outcome) {
        (Task::Rewrite, _) => format!("{} probes rewritten", admission.rewritten.len()),
        (Task::Filter(_), ReviewOutcome::Patched) => "given the filter".to_owned(),
        (Task::Filter(_), _) => "not given the filter".to_owned(),
        (Task::Switch, ReviewOutcome::Patched) => "rewrite switched".to_owned(),
        (Task::Switch, _) => "rewrite not switched".to_owned(),
    }
}

/// Names and reasons only, never what is in a pod; and as much of the reasons as is sent.
fn log(task: &Task, admission: &Admission) {
    let (namespace, name) = (named(&admission.namespace), named(&admission.name));
    let said = || admission.said.iter().map(|said| said.strip_prefix(SPEAKER).unwrap_or(said));
    let mut message = format!("{}/{}", namespace.escape_debug(), name.escape_debug());
    message += if admission.dry_run { " (dry run)" } else { "" };
    message += &format!(": {}", done(task, admission));
    for (index, warning) in said().enumerate() {
        message += if index == 0 { "; warnings: " } else { " | " };
        message += warning;
    }
    let fields = [
        ("namespace", json!(namespace)),
        ("name", json!(name)),
        ("task", json!(task.label())),
        ("probes", json!(admission.rewritten.len())),
        ("warnings", said().collect()),
        ("dryRun", json!(admission.dry_run)),
    ];
    logger::event(Level::Info, &message, fields);
}

/// A name as far as one may reach: nobody has checked it yet.
fn named(name: &str) -> &str {
    name.char_indices().nth(LONGEST_NAME).map_or(name, |(end, _)| &name[..end])
}
