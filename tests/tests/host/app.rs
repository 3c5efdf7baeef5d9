//! What an app does with a request, and how Envoy reports that to the filter.

use std::time::Duration;

use super::callout::CalloutResponse;
use super::headers::Headers;

/// What the app does with a request.
#[derive(Clone, Debug)]
pub enum App {
    Http(HttpResponse),
    /// A gRPC response with this message.
    Message(Vec<u8>),
    /// A gRPC status other than 0, with its message.
    GrpcStatus(u32, Vec<u8>),
    Fails(UpstreamFailure),
}

/// Why there is no answer of the app, as far as Envoy tells reasons apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamFailure {
    Refused,
    Unreachable,
    /// The app closed or reset the connection before the headers of an answer were complete.
    Reset,
    /// The app's answer is no HTTP: garbage, a status below 100, a control character, too many headers.
    NoHttp,
    NoTls,
    /// The app reset the connection as soon as it was made.
    ConnectReset,
    /// The cluster's `connect_timeout` ended the dial.
    DialTimedOut,
    /// The app reset the HTTP/2 stream, as a gRPC server does at the call's deadline.
    RemoteReset,
    /// The app says nothing until the time is over.
    Silent,
}

/// An app's HTTP response.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    pub headers: Headers,
    /// The pieces of the body, each of which arrives by itself.
    pub pieces: Vec<Vec<u8>>,
    pub end: BodyEnd,
    /// How long the app takes until it sends the headers.
    pub after: Duration,
}

/// What comes after the last piece of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// Nothing: the last piece ends the response, or the headers where there is no piece.
    Whole,
    /// An empty piece that ends the response, as in chunked coding.
    EmptyPiece,
    Trailers,
    /// The connection breaks.
    Broken,
    /// Nothing, though the response has not ended.
    Stalls,
    /// More pieces, without end.
    Endless,
}

impl App {
    pub fn answers(status: impl ToString) -> App {
        let headers = Headers::of([(":status", status.to_string())]);
        let after = Duration::ZERO;
        App::Http(HttpResponse { headers, pieces: Vec::new(), end: BodyEnd::Whole, after })
    }

    fn http(self, change: impl FnOnce(&mut HttpResponse)) -> App {
        match self {
            App::Http(mut http) => {
                change(&mut http);
                App::Http(http)
            }
            other => other,
        }
    }

    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> App {
        self.http(|http| http.headers.add(name.as_bytes(), value.as_ref()))
    }

    /// Adds a body in one piece.
    pub fn text(self, body: impl AsRef<[u8]>) -> App {
        self.http(|http| http.pieces.push(body.as_ref().to_vec()))
    }

    /// Adds a body of so many bytes, in pieces as they come from a socket.
    pub fn body(self, size: usize) -> App {
        let pieces = vec![b'x'; size];
        self.http(|http| http.pieces.extend(pieces.chunks(4096).map(<[u8]>::to_vec)))
    }

    pub fn ends(self, end: BodyEnd) -> App {
        self.http(|http| http.end = end)
    }

    pub fn after(self, time: Duration) -> App {
        self.http(|http| http.after = time)
    }

    /// The message of a gRPC status need not be UTF-8.
    pub fn grpc_status(status: u32, message: impl AsRef<[u8]>) -> App {
        App::GrpcStatus(status, message.as_ref().to_vec())
    }

    pub fn redirects(status: impl ToString, location: impl AsRef<[u8]>) -> App {
        App::answers(status).header("location", location)
    }
}

/// What Envoy gives the callback of a gRPC call.
pub fn grpc_response(app: App) -> CalloutResponse {
    let (grpc_status, grpc_message) = match app {
        App::Message(body) => return CalloutResponse { body, ..CalloutResponse::default() },
        App::GrpcStatus(status, message) => (status, message),
        App::Fails(UpstreamFailure::Silent) => (4, Vec::new()),
        App::Fails(failure) => {
            let (_, details, text) = failure.local_reply();
            (14, format!("{text}{{{details}}}").into_bytes())
        }
        App::Http(http) => panic!("an HTTP answer to a gRPC call: {http:?}"),
    };
    CalloutResponse { grpc_status, grpc_message, ..CalloutResponse::default() }
}

impl UpstreamFailure {
    /// How Envoy words the reset and its cause, as far as it has one; `None` for a timeout.
    fn reset(self) -> Option<(&'static str, &'static str)> {
        let no_connection = |cause| ("remote connection failure", cause);
        Some(match self {
            Self::Refused => no_connection("delayed connect error: Connection refused"),
            Self::Unreachable => no_connection("immediate connect error: Network is unreachable"),
            Self::ConnectReset => no_connection("delayed connect error: Connection reset by peer"),
            Self::NoTls => no_connection(
                "TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end",
            ),
            Self::Reset => ("connection termination", ""),
            Self::NoHttp => ("protocol error", ""),
            Self::DialTimedOut => ("connection timeout", ""),
            Self::RemoteReset => ("remote reset", ""),
            Self::Silent => return None,
        })
    }

    /// Envoy's local reply: its status, `response.code_details` and text.
    pub fn local_reply(self) -> (u16, String, String) {
        let Some((reset, cause)) = self.reset() else {
            return (504, "response_timeout".to_owned(), "upstream request timeout".to_owned());
        };
        let status = if self == Self::NoHttp { 502 } else { 503 };
        let with_cause = |divider: &str| match cause {
            "" => reset.to_owned(),
            cause => [reset, divider, cause].concat(),
        };
        let details = with_cause("|").replace(' ', "_");
        let reason = with_cause(", transport failure reason: ");
        (
            status,
            format!("upstream_reset_before_response_started{{{details}}}"),
            format!(
                "upstream connect error or disconnect/reset before headers. reset reason: {reason}"
            ),
        )
    }

    /// What Envoy gives the callback of a dispatched HTTP call.
    pub fn callout_response(self) -> CalloutResponse {
        let (status, _, body) = self.local_reply();
        let headers = Headers::of([
            (":status", status.to_string()),
            ("content-length", body.len().to_string()),
            ("content-type", "text/plain".to_owned()),
        ]);
        CalloutResponse {
            headers: Some(headers),
            body: body.into_bytes(),
            ..CalloutResponse::default()
        }
    }
}
