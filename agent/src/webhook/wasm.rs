//! The port for sidecars: the filter's `.wasm`, under a path that names its SHA-256.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use ring::digest::{SHA256, digest};

use super::metrics::Metrics;
use crate::exit::Failure;
use crate::input;
use crate::logger::{InLine, in_line};

/// Many times as large as the filter is.
const LARGEST: u64 = 4 << 20;

/// What is answered there.
pub const STATUSES: [StatusCode; 3] =
    [StatusCode::OK, StatusCode::METHOD_NOT_ALLOWED, StatusCode::SERVICE_UNAVAILABLE];

/// How often it is said at most that another file was asked for.
const AGAIN: Duration = Duration::from_secs(60);

/// Characters of a path that are logged: more than those of a sum.
const LONGEST_PATH: usize = 100;

/// The file, read once: each release has its own.
pub struct Wasm {
    bytes: Bytes,
    path: String,
    /// When it was last said that another file was asked for.
    said: Mutex<Option<Instant>>,
}

impl Wasm {
    /// Reads the file.
    ///
    /// # Errors
    /// No input when it cannot be read, or is none. They name the flag.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let named =
            |error: &str| Failure::no_input(format!("--wasm {}: {error}", InLine(file.display())));
        let bytes = input::file(file, LARGEST).map_err(|error| named(&error.message))?;
        if !bytes.starts_with(b"\0asm") {
            return Err(named("no WebAssembly"));
        }
        let sum = digest(&SHA256, &bytes);
        let hex: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { bytes: bytes.into(), path: format!("/{hex}.wasm"), said: Mutex::default() })
    }

    /// Where it is served.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The answer to any request there, counted.
    pub fn answer<B>(&self, request: &Request<B>, metrics: &Metrics) -> Response<Bytes> {
        let response = self.response(request);
        metrics.asked_for_wasm(response.status());
        if response.status() == StatusCode::SERVICE_UNAVAILABLE
            && let Some(notice) = self.notice(request.uri().path(), Instant::now())
        {
            log::warn!("{notice}");
        }
        response
    }

    /// What to say now of a request for another file: else only each sidecar's log would have it.
    fn notice(&self, path: &str, now: Instant) -> Option<String> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_some_and(|said| now - said < AGAIN) {
            return None;
        }
        *said = Some(now);
        let (path, own) = (in_line(path, LONGEST_PATH), &self.path);
        Some(format!(
            "503 for {path}: the filter here is {own}; where this goes on after an upgrade, name that \
             sum in the EnvoyFilter, or install the release of the sum that it names"
        ))
    }

    /// A path that is not the file's may be another release's, whose pods are not ready yet or not gone
    /// yet: pilot-agent comes again after 503, and not after 404.
    fn response<B>(&self, request: &Request<B>) -> Response<Bytes> {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let (status, kind, body) = if request.uri().path() != self.path {
            let text = format!("only {} is served here\n", self.path);
            (StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", text.into())
        } else if !is_read {
            (
                StatusCode::METHOD_NOT_ALLOWED,
                "text/plain; charset=utf-8",
                "only GET and HEAD\n".into(),
            )
        } else {
            (StatusCode::OK, "application/wasm", self.bytes.clone())
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        // Whoever waits takes its place.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_is_told_of_once_a_minute() {
        let wasm = Wasm { bytes: Bytes::new(), path: "/own.wasm".into(), said: Mutex::default() };
        let begins = Instant::now();
        for (seconds, says) in [(0, true), (1, false), (59, false), (60, true), (119, false)] {
            let now = begins + Duration::from_secs(seconds);
            assert_eq!(wasm.notice("/", now).is_some(), says, "after {seconds} s");
        }
        let now = begins + Duration::from_secs(200);
        let notice = wasm.notice(&"a\n".repeat(1000), now).unwrap();
        assert!(notice.starts_with(r"503 for a\na\n") && notice.len() < 300, "{notice}");
    }
}
