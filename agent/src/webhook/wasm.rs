//! The port for sidecars: the filter's `.wasm`, under a path that names its SHA-256.

use std::path::Path;

use hyper::body::Bytes;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use ring::digest::{SHA256, digest};

use crate::exit::Failure;
use crate::input;
use crate::logger::InLine;

/// Many times as large as the filter is.
const LARGEST: u64 = 4 << 20;

/// The file, read once: each release has its own.
#[derive(Clone)]
pub struct Wasm {
    bytes: Bytes,
    path: String,
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
        Ok(Self { bytes: bytes.into(), path: format!("/{hex}.wasm") })
    }

    /// Where it is served.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The answer to any request there. A path that is not the file's may be another release's, whose pods
    /// are not ready yet or not gone yet: pilot-agent comes again after 503, and not after 404.
    pub fn answer<B>(&self, request: &Request<B>) -> Response<Bytes> {
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
