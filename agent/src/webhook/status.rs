//! The plain port: health, readiness, metrics, and nothing else.

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use prometheus_client::encoding::prometheus_text::CONTENT_TYPE as METRICS;
use time::OffsetDateTime;

use super::mutate::Reviews;

const PLAIN: &str = "text/plain; charset=utf-8";

/// The answer to any request there.
pub fn answer<B>(request: &Request<B>, reviews: &Reviews) -> Response<String> {
    let (status, kind, text) = match request.uri().path() {
        "/healthz" => (StatusCode::OK, PLAIN, "ok".to_owned()),
        "/readyz" => match not_ready(reviews) {
            None => (StatusCode::OK, PLAIN, "ok".to_owned()),
            Some(why) => (StatusCode::SERVICE_UNAVAILABLE, PLAIN, why.to_owned()),
        },
        "/metrics" => (StatusCode::OK, METRICS, reviews.metrics().text()),
        _ => {
            let text = "only /healthz, /readyz and /metrics are served here".to_owned();
            (StatusCode::NOT_FOUND, PLAIN, text)
        }
    };
    if status != StatusCode::NOT_FOUND && !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response =
            of(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET and HEAD".to_owned());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    of(status, kind, text)
}

/// Why no review can be answered. A certificate was loaded before there was a port to ask.
fn not_ready(reviews: &Reviews) -> Option<&'static str> {
    if reviews.is_stopping() {
        Some("stopping")
    } else if reviews.metrics().serves_an_expired(OffsetDateTime::now_utc()) {
        Some("the certificate has expired")
    } else {
        None
    }
}

fn of(status: StatusCode, kind: &'static str, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
