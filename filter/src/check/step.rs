//! What goes into a check, events and facts, and what comes out, commands.

use std::time::Duration;

use app_health_webhook::reason::Reason;

use crate::outcome::Outcome;
use crate::request::{HeaderChange, Headers};

/// A callback of Envoy's, or the result of a command.
#[derive(Clone, Debug)]
pub enum Event {
    /// The headers of a request on the status port.
    RequestHeaders { headers: Headers, has_body: bool },
    /// A part of the request's body, which may be empty.
    RequestBody,
    /// Whether Envoy has accepted the destination or the call of the last command.
    Accepted(bool),
    /// The headers of the routed response, or of a local reply of Envoy's in its place.
    ResponseHeaders { ends: bool },
    /// A piece of that response's body, of `size` bytes.
    ResponseBody { size: usize, ends: bool },
    /// The trailers of that response, which end it.
    ResponseTrailers,
    /// The response to a dispatched HTTP call. One without headers broke off.
    CallResponse { has_head: bool },
    /// The end of a dispatched gRPC call: the answer's message where the status code is 0, else the
    /// message of the status.
    GrpcCallResponse { code: u32, message: Vec<u8> },
}

impl Event {
    /// The step for an event that the check does not wait for.
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

/// What Envoy is to do next.
#[derive(Debug)]
pub enum Command {
    /// Let pass what has arrived.
    Continue,
    /// Hold what has arrived, until the next event.
    Pause,
    /// Set the destination for Envoy's router, and the name of the route that leads there. The mark of a
    /// hook tells `local_reply_config` that a body which breaks off is no failure.
    SetDestination { route: &'static str, destination: String, is_hook: bool },
    /// Change the request's headers, and let Envoy's router carry it.
    Route(Vec<HeaderChange>),
    /// Dispatch an HTTP request.
    HttpCall(HttpCall),
    /// Dispatch a gRPC health check.
    GrpcCall(GrpcCall),
    /// Hold the response, turned into one with this status and no body.
    HoldResponse(u16),
    /// Set the status of the response that has arrived, and let it pass.
    RestoreStatus(u16),
    /// Answer the request, with `text` as the body and the reason as a header. `allow` adds the methods
    /// that a probe may have.
    LocalReply { status: u16, reason: Option<Reason>, text: String, allow: bool },
    /// Close the client's connection without an answer.
    Close,
}

/// A dispatched HTTP request without a body. A timeout of zero is no limit.
#[derive(Debug)]
pub struct HttpCall {
    pub cluster: String,
    /// In order, pseudo-headers first.
    pub headers: Vec<(String, String)>,
    pub timeout: Duration,
}

/// A dispatched gRPC health check. A timeout of zero is no limit.
#[derive(Debug)]
pub struct GrpcCall {
    pub cluster: String,
    /// IP address and port, which are the `:authority` as well.
    pub destination: String,
    /// The client's, which is passed on.
    pub user_agent: Option<Vec<u8>>,
    /// Empty for the server as a whole.
    pub service: String,
    pub timeout: Duration,
}

/// What an event has led to.
#[derive(Debug)]
pub enum Step {
    /// The check goes on with this command.
    Go(Command),
    /// The check ends, and its outcome is to be answered.
    End(Outcome),
    /// The check ends, and the response that is held says its outcome already.
    EndAsHeld(Outcome),
    /// Envoy has answered the client itself: what arrives now is not the app's, and passes.
    LeftToEnvoy,
}

impl From<Result<Command, Outcome>> for Step {
    fn from(result: Result<Command, Outcome>) -> Self {
        result.map_or_else(Self::End, Self::Go)
    }
}

/// Which response's headers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The headers of [`Event::ResponseHeaders`].
    Routed,
    /// The headers of [`Event::CallResponse`], if it has any.
    Dispatched,
}

/// What Envoy knows. Each costs a hostcall, and so is read only where it decides something.
pub trait Facts {
    /// The monotonic time.
    fn now(&self) -> Duration;
    /// `destination.address`: the address that the client connected to.
    fn destination(&self) -> Vec<u8>;
    /// The first value of a header.
    fn header(&self, source: Source, name: &str) -> Option<Vec<u8>>;
    /// The first 10 KiB of the body of a dispatched HTTP call's response.
    fn call_body(&self) -> Vec<u8>;
    /// `response.code_details`: who has made the response, and why.
    fn details(&self) -> Vec<u8>;
    /// `response.code`: the status that the client was sent, or 0 for none.
    fn sent_status(&self) -> u16;
}
