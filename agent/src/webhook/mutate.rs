//! One review: read, answered, counted, logged.

use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use app_health_webhook::admission::{Admission, Outcome, SPEAKER, admit};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};
use log::Level;
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::body::{LARGEST, Received, Refusal};
use super::server::Server;
use crate::logger;

/// Characters of a DNS name.
const LONGEST_NAME: usize = 253;

/// The time that a review which has been read may wait for memory. An API server waits 5 s for all of it.
const LONGEST_WAIT: Duration = Duration::from_secs(4);

/// Where the API server sends reviews.
const PATH: &str = "/mutate";

type Reviewed = Response<Full<Bytes>>;

/// The status and the reason.
type Refused = (StatusCode, String);

impl Server {
    /// The answer to any request on the port of the reviews. `reader` is told when the client takes
    /// too long to read it.
    pub(super) async fn mutate(
        &self,
        request: Request<Incoming>,
        reader: &Arc<Notify>,
    ) -> Response<Full<Bytes>> {
        if request.uri().path() != PATH {
            return text(StatusCode::NOT_FOUND, format!("only {PATH} is served here"));
        }
        if request.method() != Method::POST {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only POST".to_owned());
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        let began = Instant::now();
        let version = request.version();
        let response = match self.admit(request.into_body(), reader).await {
            Ok(response) => response,
            Err((status, reason)) => self.refused(status, reason, version),
        };
        self.metrics.took(began.elapsed());
        response
    }

    async fn admit(&self, body: Incoming, reader: &Arc<Notify>) -> Result<Reviewed, Refused> {
        let received = self.memory.read(body).await.map_err(describe)?;
        timeout(LONGEST_WAIT, self.answer(received, reader)).await.unwrap_or_else(|_| {
            let reason = "no memory was free for the answer in time".to_owned();
            Err((StatusCode::SERVICE_UNAVAILABLE, reason))
        })
    }

    async fn answer(
        &self,
        received: Received<'_>,
        reader: &Arc<Notify>,
    ) -> Result<Reviewed, Refused> {
        let Received { bytes, share, memory } = received;
        let _turn = share.turn().await;
        let mut admission = admit(&bytes, &self.options)
            .map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
        drop((bytes, memory));
        let body = share.answer(take(&mut admission.body), reader).await;
        self.admitted(&admission);
        let mut response = Response::new(Full::new(body));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        Ok(response)
    }

    fn admitted(&self, admission: &Admission) {
        self.metrics.admitted(admission);
        if admission.outcome == Outcome::Patched {
            log(admission);
        }
    }

    fn refused(
        &self,
        status: StatusCode,
        reason: String,
        version: Version,
    ) -> Response<Full<Bytes>> {
        self.metrics.refused();
        log::warn!("{}: {reason}", status.as_u16());
        let mut response = text(status, reason);
        let whole = [StatusCode::BAD_REQUEST, StatusCode::SERVICE_UNAVAILABLE].contains(&status);
        if !whole && version < Version::HTTP_2 {
            // The rest of its body may still come.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn describe(refusal: Refusal) -> Refused {
    match refusal {
        Refusal::TooLarge => {
            let reason = format!("the body is larger than {} MiB", LARGEST >> 20);
            (StatusCode::PAYLOAD_TOO_LARGE, reason)
        }
        Refusal::TooSlow => {
            (StatusCode::REQUEST_TIMEOUT, "the body did not come in time".to_owned())
        }
        Refusal::Broken => (StatusCode::BAD_REQUEST, "the body broke off".to_owned()),
    }
}

fn text(status: StatusCode, reason: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(reason));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// Names and reasons only, never what is in a pod; and as much of the reasons as is sent.
fn log(admission: &Admission) {
    let (namespace, name) = (named(&admission.namespace), named(&admission.name));
    let said = || admission.said.iter().map(|said| said.strip_prefix(SPEAKER).unwrap_or(said));
    let mut message = format!("{}/{}", namespace.escape_debug(), name.escape_debug());
    message += if admission.dry_run { " (dry run)" } else { "" };
    message += &format!(": {} probes rewritten", admission.rewritten.len());
    for (index, warning) in said().enumerate() {
        message += if index == 0 { "; warnings: " } else { " | " };
        message += warning;
    }
    let fields = [
        ("namespace", json!(namespace)),
        ("name", json!(name)),
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
