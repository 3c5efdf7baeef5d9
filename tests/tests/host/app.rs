//! What an app does with a request, and how Envoy tells the filter of it.

use std::time::Duration;

use super::callout::CalloutResponse;
use super::headers::Headers;

/// What the app does with a request.
#[derive(Clone, Debug)]
pub enum App {
    /// An HTTP answer.
    Http(HttpResponse),
    /// A gRPC message.
    Message(Vec<u8>),
    /// A gRPC status other than 0, with its message.
    GrpcStatus(u32, Vec<u8>),
    /// No answer.
    Fails(UpstreamFailure),
}

/// Why there is no answer, as Envoy tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamFailure {
    Refused,
    Unreachable,
    /// Closed or reset before the head of an answer was whole.
    Reset,
    /// No HTTP: garbage, a status below 100, a control character, headers over the limit.
    NoHttp,
    NoTls,
    /// Reset as soon as the connection was made.
    ConnectReset,
    /// Envoy's own limit of a dial has ended it.
    DialTimedOut,
    /// Reset by the app itself, over HTTP/2: a gRPC server that keeps the call's deadline.
    RemoteReset,
    /// Nothing comes until the time is out.
    Silent,
}

/// An HTTP answer.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    pub headers: Headers,
    /// Each comes by itself.
    pub pieces: Vec<Vec<u8>>,
    pub end: BodyEnd,
    /// Until the head comes.
    pub after: Duration,
}

/// What ends an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// The last piece; the head where there is none.
    Whole,
    /// An empty piece, as in chunked coding.
    EmptyPiece,
    Trailers,
    /// The connection breaks.
    Broken,
    /// Nothing more comes.
    Stalls,
    /// More pieces come, without end.
    Endless,
}

impl App {
    pub fn answers(status: u16) -> App {
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

    /// A body in one piece.
    pub fn text(self, body: impl AsRef<[u8]>) -> App {
        self.http(|http| http.pieces.push(body.as_ref().to_vec()))
    }

    /// A body of so many bytes, in pieces as they come from a socket.
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

    /// Its message may be no UTF-8.
    pub fn grpc_status(status: u32, message: impl AsRef<[u8]>) -> App {
        App::GrpcStatus(status, message.as_ref().to_vec())
    }

    /// To another place.
    pub fn redirects(status: u16, location: impl AsRef<[u8]>) -> App {
        App::answers(status).header("location", location)
    }
}

/// What a gRPC call's callback sees.
pub fn grpc_response(app: App) -> CalloutResponse {
    let (grpc_status, grpc_message) = match app {
        App::Message(body) => return CalloutResponse { body, ..CalloutResponse::default() },
        App::GrpcStatus(grpc_status, grpc_message) => {
            return CalloutResponse { grpc_status, grpc_message, ..CalloutResponse::default() };
        }
        App::Fails(UpstreamFailure::Silent) => (4, ""),
        App::Fails(UpstreamFailure::NoHttp) => (14, "protocol error"),
        App::Fails(UpstreamFailure::DialTimedOut) => (
            14,
            "upstream connect error or disconnect/reset before headers. reset reason: connection \
             timeout{upstream_reset_before_response_started{connection_timeout}}",
        ),
        App::Fails(UpstreamFailure::Reset) => (
            14,
            "upstream connect error or disconnect/reset before headers. reset reason: connection \
             termination{upstream_reset_before_response_started{connection_termination}}",
        ),
        App::Fails(UpstreamFailure::RemoteReset) => (
            14,
            "upstream connect error or disconnect/reset before headers. reset reason: remote \
             reset{upstream_reset_before_response_started{remote_reset}}",
        ),
        App::Fails(_) => (14, "Connection refused"),
        App::Http(http) => panic!("an HTTP answer to a gRPC call: {http:?}"),
    };
    let grpc_message = grpc_message.as_bytes().to_vec();
    CalloutResponse { grpc_status, grpc_message, ..CalloutResponse::default() }
}

impl UpstreamFailure {
    /// Status, `response.code_details` and text of Envoy's reply to a routed request.
    pub fn local_reply(self) -> (u16, &'static str, &'static str) {
        let text = "upstream connect error or disconnect/reset before headers";
        match self {
            UpstreamFailure::Refused => (
                503,
                "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
                text,
            ),
            UpstreamFailure::Unreachable => (
                503,
                "upstream_reset_before_response_started{remote_connection_failure|immediate_connect_error:_Network_is_unreachable}",
                text,
            ),
            UpstreamFailure::Reset => {
                (503, "upstream_reset_before_response_started{connection_termination}", text)
            }
            UpstreamFailure::NoHttp => {
                (502, "upstream_reset_before_response_started{protocol_error}", text)
            }
            UpstreamFailure::NoTls => (
                503,
                "upstream_reset_before_response_started{remote_connection_failure|TLS_error:|268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end}",
                text,
            ),
            UpstreamFailure::ConnectReset => (
                503,
                "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_reset_by_peer}",
                text,
            ),
            UpstreamFailure::DialTimedOut => {
                (503, "upstream_reset_before_response_started{connection_timeout}", text)
            }
            UpstreamFailure::RemoteReset => {
                (503, "upstream_reset_before_response_started{remote_reset}", text)
            }
            UpstreamFailure::Silent => (504, "response_timeout", "upstream request timeout"),
        }
    }

    /// What a dispatched call's callback sees.
    pub fn callout_response(self) -> CalloutResponse {
        let before = "upstream connect error or disconnect/reset before headers. reset reason: ";
        let (status, text) = match self {
            UpstreamFailure::Refused => (
                503,
                "remote connection failure, transport failure reason: delayed connect error: Connection refused",
            ),
            UpstreamFailure::Unreachable => (
                503,
                "remote connection failure, transport failure reason: immediate connect error: Network is unreachable|remote address:10.0.0.7:80",
            ),
            UpstreamFailure::Reset => (503, "connection termination"),
            UpstreamFailure::NoHttp => (502, "protocol error"),
            UpstreamFailure::NoTls => (
                503,
                "remote connection failure, transport failure reason: TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end",
            ),
            UpstreamFailure::ConnectReset => (
                503,
                "remote connection failure, transport failure reason: delayed connect error: Connection reset by peer",
            ),
            UpstreamFailure::DialTimedOut => (503, "connection timeout"),
            UpstreamFailure::RemoteReset => (503, "remote reset"),
            UpstreamFailure::Silent => (504, "upstream request timeout"),
        };
        let body = if status == 504 { text.to_owned() } else { format!("{before}{text}") };
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
