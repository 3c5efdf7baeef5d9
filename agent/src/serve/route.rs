//! From a request to the check that it asks for, and from an outcome to the answer.

use std::time::Duration;

use app_health_webhook::reason::{self, Reason};
use app_health_webhook::tcp_check::{CheckStatus, PathError, TIMEOUT_HEADER, parse};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::check::TcpCheck;

/// What a request comes to. The text is the reason for people, one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// 200: the port accepted.
    Connected,
    /// 500: it did not.
    Failed(Reason, String),
    /// 400: no address of this pod, no port, no time.
    BadRequest(String),
    /// 404: another path.
    UnknownPath,
    /// 405: another method than GET and HEAD.
    Method,
}

/// Reads a request. That the address is this pod's own is still to be seen.
///
/// # Errors
/// What to reply instead.
pub fn check<B>(request: &Request<B>) -> Result<TcpCheck, Reply> {
    let path = parse(request.uri().path());
    if path == Err(PathError::Unknown) {
        return Err(Reply::UnknownPath);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Reply::Method);
    }
    let to = path.map_err(|error| Reply::BadRequest(path_reason(error).to_owned()))?;
    let limit = limit(request.headers()).map_err(Reply::BadRequest)?;
    Ok(TcpCheck { to, limit })
}

fn path_reason(error: PathError) -> &'static str {
    match error {
        PathError::Unknown => "not of the form /tcp/<ip>/<port>",
        PathError::Address => "no IP address in /tcp/<ip>/<port>",
        PathError::Port => "no port from 1 to 65535 in /tcp/<ip>/<port>",
    }
}

fn limit(headers: &HeaderMap) -> Result<Option<Duration>, String> {
    headers.get(TIMEOUT_HEADER).map(milliseconds).transpose()
}

fn milliseconds(value: &HeaderValue) -> Result<Duration, String> {
    let text = value.as_bytes().escape_ascii().to_string();
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(ms) if digits && ms > 0 => Ok(Duration::from_millis(ms)),
        _ => Err(format!("{TIMEOUT_HEADER}: {text} is no positive number of milliseconds")),
    }
}

impl Reply {
    /// The answer on the wire.
    pub fn response(self) -> Response<String> {
        let (status, reason, text) = match self {
            Self::Connected => (status(CheckStatus::Connected), Reason::Ok, String::new()),
            Self::Failed(reason, text) => (status(CheckStatus::Failed), reason, text),
            Self::BadRequest(text) => (status(CheckStatus::BadRequest), Reason::Config, text),
            Self::UnknownPath => {
                let text = "only /tcp/<ip>/<port> is served here".to_owned();
                (StatusCode::NOT_FOUND, Reason::Config, text)
            }
            Self::Method => {
                (StatusCode::METHOD_NOT_ALLOWED, Reason::Config, "only GET and HEAD".to_owned())
            }
        };
        let mut response = Response::new(text);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(reason::HEADER, HeaderValue::from_static(reason.as_str()));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        if status != StatusCode::OK {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        }
        response
    }
}

fn status(answer: CheckStatus) -> StatusCode {
    match answer {
        CheckStatus::Connected => StatusCode::OK,
        CheckStatus::BadRequest => StatusCode::BAD_REQUEST,
        CheckStatus::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, path: &str, limit: Option<&[u8]>) -> Request<()> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(limit) = limit {
            request = request.header(TIMEOUT_HEADER, limit);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_request_names_a_check() {
        let ms = |ms| Some(Duration::from_millis(ms));
        for (method, path, given, to, limit) in [
            ("GET", "/tcp/10.0.0.7/2940", None, "10.0.0.7:2940", None),
            ("GET", "/tcp/10.0.0.7/2940", Some("950"), "10.0.0.7:2940", ms(950)),
            ("HEAD", "/tcp/fd00::7/1", Some("1"), "[fd00::7]:1", ms(1)),
            ("GET", "/tcp/::1/65535", Some("0050"), "[::1]:65535", ms(50)),
            ("GET", "/tcp/10.0.0.7/80", Some("18446744073709551615"), "10.0.0.7:80", ms(u64::MAX)),
        ] {
            let request = request(method, path, given.map(str::as_bytes));
            assert_eq!(check(&request), Ok(TcpCheck { to: to.parse().unwrap(), limit }), "{path}");
        }
    }

    #[test]
    fn or_the_status_that_refuses_it() {
        for (method, path, status) in [
            ("GET", "/", 404),
            ("POST", "/", 404),
            ("OPTIONS", "*", 404),
            ("GET", "/tcp/10.0.0.7", 404),
            ("GET", "/tcp/10.0.0.7/80/", 404),
            ("GET", "/TCP/10.0.0.7/80", 404),
            ("POST", "/tcp/10.0.0.7/80", 405),
            ("DELETE", "/tcp/x/80", 405),
            ("GET", "/tcp/x/80", 400),
            ("GET", "/tcp/10.0.0.7/0", 400),
            ("GET", "/tcp/10.0.0.7/70000", 400),
            ("GET", "/tcp/10.0.0.7/%38%30", 400),
        ] {
            let reply = check(&request(method, path, None)).expect_err(path);
            assert_eq!(reply.response().status(), status, "{method} {path}");
        }
    }

    #[test]
    fn a_time_that_is_none_is_refused_and_quoted() {
        let cases: [&[u8]; 9] =
            [b"", b"0", b"-1", b"+1", b"1.5", b"1s", b"1 2", b"18446744073709551616", b"\xff"];
        for given in cases {
            let Err(Reply::BadRequest(reason)) = check(&request("GET", "/tcp/::1/80", Some(given)))
            else {
                panic!("{}", given.escape_ascii());
            };
            assert_eq!(
                reason,
                format!(
                    "x-app-health-timeout-ms: {} is no positive number of milliseconds",
                    given.escape_ascii()
                )
            );
        }
    }
}
