//! What a check is told, and what it wants done.

use std::time::Duration;

use crate::outcome::Outcome;
use crate::request::{HeaderChange, Headers};

/// What has happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The head of a request on the status port.
    RequestHeaders {
        /// Its headers.
        headers: Headers,
        /// Whether a body follows.
        has_body: bool,
    },
    /// What follows the head of the request.
    RequestBody,
    /// Whether Envoy has taken the destination or the call that was asked for.
    Accepted(bool),
    /// The head of the answer that Envoy's router carries, or Envoy's own in its place.
    ResponseHeaders {
        /// Whether nothing follows it.
        ends: bool,
    },
    /// A piece of that answer's body.
    ResponseBody {
        /// In bytes.
        size: usize,
        /// Whether nothing follows it.
        ends: bool,
    },
    /// The trailers of that answer, which end it.
    ResponseTrailers,
    /// A dispatched HTTP call has been answered.
    CallResponse {
        /// Whether the answer has a head: where it has none, it broke off.
        has_head: bool,
    },
    /// A dispatched gRPC call has ended.
    GrpcCallResponse {
        /// The gRPC status.
        code: u32,
        /// The answer's message where the status is 0, else the status's own text.
        message: Vec<u8>,
    },
}

impl Event {
    /// What comes of it where nobody waits for it.
    pub fn unawaited(&self) -> Step {
        match self {
            Self::ResponseHeaders { .. } => Step::LeftToEnvoy,
            Self::RequestHeaders { .. } | Self::ResponseBody { .. } | Self::ResponseTrailers => {
                Step::Go(Command::Continue)
            }
            Self::RequestBody
            | Self::Accepted(_)
            | Self::CallResponse { .. }
            | Self::GrpcCallResponse { .. } => Step::Go(Command::Pause),
        }
    }
}

/// What is to be done next.
#[derive(Debug)]
pub enum Command {
    /// Let pass what has come.
    Continue,
    /// Hold what has come, until the next event.
    Pause,
    /// Name the destination for Envoy's router, and the route that leads there.
    SetDestination {
        /// The name that a route of the configuration matches.
        route: &'static str,
        /// IP address and port.
        destination: String,
        /// For a hook a body that breaks off is no failure.
        is_hook: bool,
    },
    /// Change the request so, and let Envoy's router carry it.
    Route(Vec<HeaderChange>),
    /// Send a request of the filter's own.
    HttpCall(HttpCall),
    /// The same by gRPC: a health check.
    GrpcCall(GrpcCall),
    /// Hold the answer, made one that has this status and no body.
    HoldResponse(u16),
    /// Set the status of the answer that has come, and let it pass.
    RestoreStatus(u16),
    /// Answer the request.
    LocalReply {
        /// The HTTP status.
        status: u16,
        /// The body: one line, or nothing.
        text: String,
        /// Whether it says which methods a probe may have.
        allow: bool,
    },
    /// Close the client's connection without an answer.
    Close,
}

/// A dispatched HTTP request without a body.
#[derive(Debug)]
pub struct HttpCall {
    /// Envoy's cluster.
    pub cluster: String,
    /// In order, pseudo-headers first.
    pub headers: Vec<(String, String)>,
    /// Zero: no limit.
    pub timeout: Duration,
}

/// A dispatched gRPC health check.
#[derive(Debug)]
pub struct GrpcCall {
    /// Envoy's cluster.
    pub cluster: String,
    /// IP address and port: it is the `:authority` as well.
    pub destination: String,
    /// Of the client; goes along.
    pub user_agent: Option<Vec<u8>>,
    /// What is asked for; empty: the server as a whole.
    pub service: String,
    /// Zero: no limit.
    pub timeout: Duration,
}

/// What a check has come to by an event.
#[derive(Debug)]
pub enum Step {
    /// It goes on.
    Go(Command),
    /// It has come to this, which is to be answered.
    End(Outcome),
    /// It has come to this, which the answer that is held says already.
    EndAsHeld(Outcome),
    /// Envoy answers in its place: what comes by is not the app's.
    LeftToEnvoy,
}

impl From<Result<Command, Outcome>> for Step {
    fn from(result: Result<Command, Outcome>) -> Self {
        result.map_or_else(Self::End, Self::Go)
    }
}

/// Where an answer comes from whose headers can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Of the event [`Event::ResponseHeaders`].
    Routed,
    /// Of the event [`Event::CallResponse`], where it has a head.
    Dispatched,
}

/// What costs a call to Envoy, and so is read only where it decides.
pub trait Facts {
    /// The monotonic time, since any moment that stays the same.
    fn now(&self) -> Duration;
    /// Envoy's `destination.address`: where the client's connection came to.
    fn destination(&self) -> Vec<u8>;
    /// The first value of a header; `None` where it is absent.
    fn header(&self, source: Source, name: &str) -> Option<Vec<u8>>;
    /// The beginning of the body of a dispatched HTTP call's answer.
    fn call_body(&self) -> Vec<u8>;
    /// Envoy's `response.code_details`: where the answer comes from.
    fn details(&self) -> Vec<u8>;
    /// Envoy's `response.code`: the status that the client was sent; 0: none.
    fn sent_status(&self) -> u16;
}
