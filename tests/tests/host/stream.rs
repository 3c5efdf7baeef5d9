//! A stream of the listener: a request, its response, and what the filter did to them.

use std::collections::BTreeMap;
use std::fmt;

use super::headers::Headers;

/// The filter state that holds the destination of a routed request.
pub const DESTINATION: &str = "envoy.network.transport_socket.original_dst_address";

/// How far a stream has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamPhase {
    /// The filter has paused the request's headers: it will answer, or it waits for a callout.
    Request,
    /// The filter let the request go on to the routes, which may lead to an app.
    Routed,
    /// The filter sees a response, the app's or a local reply of Envoy's.
    Response,
    /// The stream is over.
    Ended(StreamEnd),
}

/// How a stream ended for the downstream client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The client got a whole response.
    Response(DownstreamResponse),
    /// The connection was closed without a response.
    Reset,
    /// The client went away first.
    DownstreamGone,
}

/// A response as it leaves the filter.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DownstreamResponse {
    pub headers: Headers,
    pub body: Vec<u8>,
    /// `response.code_details`
    pub details: Option<String>,
}

impl DownstreamResponse {
    /// The `:status`, or 0 where it is no number.
    pub fn status(&self) -> u16 {
        self.headers.get(":status").and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl fmt::Debug for DownstreamResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {:?}", self.headers, self.text(), self.details)
    }
}

/// What the filter asks for in a callback, and Envoy does once the callback has returned.
#[derive(Clone, Debug)]
pub enum Deferred {
    LocalReply(DownstreamResponse),
    Close,
    Continue,
}

/// A stream, with what the filter did to it.
pub struct Stream {
    pub phase: StreamPhase,
    pub request: Headers,
    /// Whether the filter can still see the request's headers: Envoy hides them once they go on.
    pub request_in_sight: bool,
    /// Filter state, set by the foreign function `set_envoy_filter_state`.
    pub filter_state: BTreeMap<String, String>,
    /// Properties that the filter set, by their path joined with dots (Envoy keeps them as
    /// `wasm.<path>`).
    pub set_properties: BTreeMap<String, Vec<u8>>,
    /// Properties that Envoy has of the stream, by their path joined with dots.
    pub properties: BTreeMap<String, Vec<u8>>,
    /// The response's headers, until the filter lets them go.
    pub response_headers: Option<Headers>,
    /// The response's headers while `proxy_on_log` runs.
    pub logged: Option<Headers>,
    pub trailers: Option<Headers>,
    /// The part of the response's body that has come and is still held.
    pub buffered_body: Option<Vec<u8>>,
    pub deferred: Vec<Deferred>,
    /// What the filter has let go of the response.
    pub(super) sent: Option<DownstreamResponse>,
    /// How many local replies the filter asked for.
    pub(super) local_replies: usize,
    /// The filter's context of this stream is gone.
    pub(super) deleted: bool,
}

impl Stream {
    pub fn new(request: Headers, properties: BTreeMap<String, Vec<u8>>) -> Stream {
        Stream {
            phase: StreamPhase::Request,
            request,
            request_in_sight: true,
            filter_state: BTreeMap::new(),
            set_properties: BTreeMap::new(),
            properties,
            response_headers: None,
            logged: None,
            trailers: None,
            buffered_body: None,
            deferred: Vec::new(),
            sent: None,
            local_replies: 0,
            deleted: false,
        }
    }

    /// `IP:PORT` of the app to which the request is routed; `None` where it goes to the listener's routes.
    pub fn destination(&self) -> Option<&str> {
        self.filter_state.get(DESTINATION).map(String::as_str)
    }

    /// A property that the filter has set, as text.
    pub fn set_property(&self, path: &str) -> Option<String> {
        self.set_properties.get(path).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    pub fn details(&self) -> Option<String> {
        let details = self.properties.get("response.code_details")?;
        Some(String::from_utf8_lossy(details).into_owned())
    }

    /// The response that the client got, if it got one.
    pub fn response(&self) -> Option<&DownstreamResponse> {
        match self.end() {
            Some(StreamEnd::Response(response)) => Some(response),
            _ => None,
        }
    }

    pub fn end(&self) -> Option<&StreamEnd> {
        match &self.phase {
            StreamPhase::Ended(end) => Some(end),
            _ => None,
        }
    }
}
