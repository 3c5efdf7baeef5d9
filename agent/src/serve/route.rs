//! From a request to the check that it asks for, or the answer that refuses it.

use std::time::Duration;

use app_health_webhook::tcp_check::{Answer, PathError, TIMEOUT_HEADER, parse};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::check::Check;

/// An answer without a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 404.
    UnknownPath,
    /// 405.
    Method,
    /// 400 and why.
    Bad(String),
}

/// Reads a request. That the address is this pod's own is still to be seen.
///
/// # Errors
/// What to answer instead.
pub fn check<B>(request: &Request<B>) -> Result<Check, Refusal> {
    let path = request.uri().path();
    let to = parse(path);
    if to == Err(PathError::Unknown) {
        return Err(Refusal::UnknownPath);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Refusal::Method);
    }
    let to = to.map_err(|error| Refusal::Bad(path_reason(error).to_owned()))?;
    let limit = limit(request.headers())?;
    Ok(Check { to, limit })
}

fn path_reason(error: PathError) -> &'static str {
    match error {
        PathError::Unknown => "not of the form /tcp/<ip>/<port>",
        PathError::Address => "no IP address in /tcp/<ip>/<port>",
        PathError::Port => "no port from 1 to 65535 in /tcp/<ip>/<port>",
    }
}

fn limit(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    headers.get(TIMEOUT_HEADER).map(milliseconds).transpose()
}

fn milliseconds(value: &HeaderValue) -> Result<Duration, Refusal> {
    let bytes = value.as_bytes();
    let number = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .filter(|ms| *ms > 0);
    number.map(Duration::from_millis).ok_or_else(|| {
        let given = bytes.escape_ascii();
        Refusal::Bad(format!("{TIMEOUT_HEADER}: {given} is no positive number of milliseconds"))
    })
}

impl Refusal {
    /// The answer.
    pub fn response(self) -> Response<String> {
        match self {
            Self::UnknownPath => {
                let reason = "only /tcp/<ip>/<port> is served here".to_owned();
                response(StatusCode::NOT_FOUND, reason)
            }
            Self::Method => {
                let mut response =
                    response(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD".to_owned());
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
            Self::Bad(reason) => answer(Answer::NotOurs, reason),
        }
    }
}

/// An answer of the contract: the reason is one line, empty where there is none to give.
pub fn answer(answer: Answer, reason: String) -> Response<String> {
    // The three statuses are valid ones.
    let status = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response(status, reason)
}

fn response(status: StatusCode, reason: String) -> Response<String> {
    let text = !reason.is_empty();
    let mut response = Response::new(reason);
    *response.status_mut() = status;
    if text {
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, plain);
    }
    response
}
