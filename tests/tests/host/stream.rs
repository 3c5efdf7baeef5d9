//! A stream of the listener, as far as the filter has brought it.

use std::collections::BTreeMap;
use std::fmt;

use super::headers::Headers;

/// The filter state by which the filter names the destination of a routed request.
pub const DESTINATION: &str = "envoy.network.transport_socket.original_dst_address";

/// Where a stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Paused at the request's headers: the filter answers, or waits for a callout.
    Request,
    /// The filter let it go on: to the routes, and by them perhaps to an app.
    Routed,
    /// The filter sees an answer, the app's or Envoy's own.
    Response,
    /// The client has its answer, or is gone.
    Ended(Outcome),
}

/// What the client of the listener gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A whole answer.
    Answer(Answer),
    /// The connection was closed without one.
    Closed,
    /// The client went away first.
    Abandoned,
}

/// An answer as it leaves the filter.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub headers: Headers,
    pub body: Vec<u8>,
    /// `response.code_details`
    pub details: Option<String>,
}

impl Answer {
    /// 0 where `:status` is no number.
    pub fn status(&self) -> u16 {
        self.headers.get(":status").and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {:?}", self.headers, self.text(), self.details)
    }
}

/// What the filter asked for in a callback; done when the callback has returned.
#[derive(Clone, Debug)]
pub enum Deferred {
    LocalReply(Answer),
    Close,
    Continue,
}

/// A stream, with what the filter did to it.
pub struct Stream {
    pub phase: Phase,
    pub request: Headers,
    /// Envoy takes the request's headers out of the filter's sight once it lets them go.
    pub request_in_sight: bool,
    /// What `set_envoy_filter_state` said.
    pub filter_state: BTreeMap<String, String>,
    /// What `set_property` said, by the path joined with dots (Envoy keeps it as `wasm.<path>`).
    pub set_properties: BTreeMap<String, Vec<u8>>,
    /// What Envoy says of the stream, by the path joined with dots.
    pub properties: BTreeMap<String, Vec<u8>>,
    pub response: Option<Headers>,
    /// The answer's headers while `proxy_on_log` runs.
    pub logged: Option<Headers>,
    pub trailers: Option<Headers>,
    /// The body that has come and is not let go yet.
    pub body: Option<Vec<u8>>,
    pub deferred: Vec<Deferred>,
    /// Response headers the filter has let go.
    pub(super) sent: Option<Answer>,
    pub(super) replies: usize,
    /// Its context is gone from the VM.
    pub(super) deleted: bool,
}

impl Stream {
    pub fn new(request: Headers, properties: BTreeMap<String, Vec<u8>>) -> Stream {
        Stream {
            phase: Phase::Request,
            request,
            request_in_sight: true,
            filter_state: BTreeMap::new(),
            set_properties: BTreeMap::new(),
            properties,
            response: None,
            logged: None,
            trailers: None,
            body: None,
            deferred: Vec::new(),
            sent: None,
            replies: 0,
            deleted: false,
        }
    }

    /// `IP:PORT` of the app that the request is routed to; `None`: it goes to the routes.
    pub fn destination(&self) -> Option<&str> {
        self.filter_state.get(DESTINATION).map(String::as_str)
    }

    /// A property that the filter set, as text.
    pub fn set_property(&self, path: &str) -> Option<String> {
        self.set_properties.get(path).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    pub fn details(&self) -> Option<String> {
        let details = self.properties.get("response.code_details")?;
        Some(String::from_utf8_lossy(details).into_owned())
    }

    /// What the client got, where it got an answer.
    pub fn answer(&self) -> Option<&Answer> {
        match self.outcome() {
            Some(Outcome::Answer(answer)) => Some(answer),
            _ => None,
        }
    }

    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.phase {
            Phase::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }
}
