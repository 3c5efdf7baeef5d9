//! A whole probe: the filter's requests are answered by a script of the app until the stream ends.

use std::time::Duration;

use super::app::{App, BodyEnd, HttpResponse, UpstreamFailure, grpc_response};
use super::callout::{Callout, CalloutRequest, CalloutResponse};
use super::headers::Headers;
use super::stream::{DownstreamResponse, StreamEnd, StreamPhase};
use super::{DownstreamRequest, Host};

/// What carries a request of the filter's upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// Envoy's router: the client's own request goes on.
    Router,
    /// A dispatched HTTP call to the app.
    HttpCall,
    /// A dispatched gRPC call to the app.
    GrpcCall,
    /// A dispatched HTTP call to a cluster with a static host, the agent's.
    AgentCall,
}

/// A request that the filter has sent to the app or to the agent.
#[derive(Clone, Debug)]
pub struct UpstreamRequest {
    pub via: Via,
    /// A callout's cluster, or the property `app_health` of a routed request.
    pub cluster: String,
    /// `IP:PORT`
    pub destination: String,
    pub headers: Headers,
    /// Authority, service and method of a gRPC call, divided by spaces.
    pub rpc: String,
    /// The message of a gRPC call.
    pub message: Vec<u8>,
    /// `None`: no limit.
    pub timeout: Option<Duration>,
    /// When it was sent, counted from the client's request.
    pub at: Duration,
}

impl UpstreamRequest {
    /// `http://10.0.0.7:8080/path`, by the destination rather than by the Host header.
    pub fn url(&self) -> String {
        let scheme = self.headers.get(":scheme").unwrap_or_default();
        let path = self.headers.get(":path").unwrap_or_default();
        format!("{scheme}://{}{path}", self.destination)
    }
}

/// A probe that has run: what the client got, and what the filter sent for it.
#[derive(Clone, Debug)]
pub struct ProbeRun {
    pub end: StreamEnd,
    /// The requests that the filter sent, in order.
    pub sent: Vec<UpstreamRequest>,
    /// How long the client waited.
    pub took: Duration,
}

impl ProbeRun {
    /// The response's status, or 0 where the connection was closed without a response.
    pub fn status(&self) -> u16 {
        self.response().map_or(0, DownstreamResponse::status)
    }

    pub fn response(&self) -> Option<&DownstreamResponse> {
        match &self.end {
            StreamEnd::Response(response) => Some(response),
            _ => None,
        }
    }

    /// The response's body.
    pub fn reason(&self) -> String {
        self.response().map(DownstreamResponse::text).unwrap_or_default()
    }

    /// The URLs that the filter asked, in order.
    pub fn urls(&self) -> Vec<String> {
        self.sent.iter().map(UpstreamRequest::url).collect()
    }
}

/// `connect_timeout` of the clusters that calls are dispatched to.
const DIAL: Duration = Duration::from_millis(250);

/// The part of an endless body that is sent, at most.
const ENDLESS: usize = 4 << 20;

impl Host {
    /// Sends a request, and lets `app` answer what the filter sends, until the stream has ended. Time
    /// passes as the script says: an app that does not answer costs the whole timeout.
    ///
    /// # Panics
    ///
    /// The client would wait for ever, or the filter has passed the request on to the listener's
    /// routes.
    pub fn run(
        &mut self,
        request: DownstreamRequest,
        mut app: impl FnMut(&UpstreamRequest) -> App,
    ) -> ProbeRun {
        let start = self.state().now;
        let id = self.request(request);
        let mut sent = Vec::new();
        loop {
            let at = self.state().now - start;
            let (request, callout) = match &self.stream(id).phase {
                StreamPhase::Ended(end) => return ProbeRun { end: end.clone(), sent, took: at },
                StreamPhase::Routed => (self.routed_request(id, at), None),
                _ => self.dispatched_request(id, at),
            };
            let answer = app(&request);
            match callout {
                None => self.play_routed(id, &request, answer),
                Some(callout) => self.play_callout(&callout, answer),
            }
            sent.push(request);
        }
    }

    pub fn routed_request(&mut self, id: u32, at: Duration) -> UpstreamRequest {
        self.check_route(id);
        let stream = self.stream(id);
        let destination = stream.destination().expect("routed to an app, not to the routes");
        let timeout = stream.request.get("x-envoy-upstream-rq-timeout-ms");
        let timeout = timeout.expect("the route's own timeout is not a probe's");
        UpstreamRequest {
            via: Via::Router,
            cluster: stream.set_property("app_health").unwrap_or_default(),
            destination: destination.to_owned(),
            headers: stream.request.clone(),
            rpc: String::new(),
            message: Vec::new(),
            timeout: millis(timeout.parse().expect("milliseconds")),
            at,
        }
    }

    /// Notes a violation where no route of the shipped configuration would match.
    fn check_route(&mut self, id: u32) {
        let stream = self.stream(id);
        let route = stream.set_property("app_health").unwrap_or_default();
        let path = stream.request.get(":path").unwrap_or_default();
        let carried = route.strip_suffix("+xfp").unwrap_or(&route);
        let known = ["http", "https", "http2"].contains(&carried) || route == "tcp";
        if !known || !path.starts_with('/') || stream.request.get("x-forwarded-proto").is_none() {
            let text = format!("no route for {route:?}: {:?}", stream.request);
            self.state_mut().violation(text);
        }
    }

    fn dispatched_request(&self, id: u32, at: Duration) -> (UpstreamRequest, Option<Callout>) {
        let callout = self.callout_of(id).unwrap_or_else(|| {
            let phase = &self.stream(id).phase;
            panic!("the client waits for ever: no callout, {phase:?}\n{}", self.log_text())
        });
        let mut request = UpstreamRequest {
            via: Via::HttpCall,
            cluster: callout.cluster.clone(),
            destination: callout.destination().unwrap_or_default(),
            headers: callout.headers().clone(),
            rpc: String::new(),
            message: Vec::new(),
            timeout: millis(callout.timeout.as_millis() as u64),
            at,
        };
        if let CalloutRequest::Grpc { authority, service, method, message, .. } = &callout.request {
            request.via = Via::GrpcCall;
            request.rpc = format!("{authority} {service} {method}");
            request.message = message.clone();
        } else if request.destination.is_empty() {
            request.via = Via::AgentCall;
        }
        (request, Some(callout.clone()))
    }

    fn wait_out(&mut self, timeout: Option<Duration>) {
        let timeout = timeout.expect("nothing ends this check: it has no timeout");
        self.advance(timeout);
    }

    /// Waits until the app answers, or until the timeout: after that the app counts as silent.
    fn wait_for(&mut self, app: App, timeout: Option<Duration>) -> App {
        match &app {
            App::Http(http) if timeout.is_none_or(|timeout| http.after < timeout) => {
                self.advance(http.after);
                app
            }
            App::Http(_) | App::Fails(UpstreamFailure::Silent) => {
                self.wait_out(timeout);
                App::Fails(UpstreamFailure::Silent)
            }
            _ => app,
        }
    }

    fn play_routed(&mut self, id: u32, request: &UpstreamRequest, app: App) {
        match self.wait_for(app, request.timeout) {
            App::Http(http) => {
                let left = request.timeout.map(|timeout| timeout - http.after);
                self.play_response(id, left, http);
            }
            App::Fails(failure) => {
                let (status, details, text) = failure.local_reply();
                self.envoy_replies(id, status, &details, &text);
            }
            other => panic!("a gRPC answer to an HTTP request: {other:?}"),
        }
    }

    fn play_response(&mut self, id: u32, left: Option<Duration>, http: HttpResponse) {
        let HttpResponse { headers, pieces, end, .. } = http;
        let whole = end == BodyEnd::Whole;
        self.respond(id, headers, whole && pieces.is_empty());
        let last = pieces.len();
        for (n, piece) in pieces.iter().enumerate() {
            self.respond_body(id, piece, whole && n + 1 == last);
        }
        match end {
            BodyEnd::Whole => {}
            BodyEnd::EmptyPiece => self.respond_body(id, b"", true),
            BodyEnd::Trailers => self.respond_trailers(id, Headers::of([("x-trailer", "1")])),
            BodyEnd::Endless => {
                for _ in 0..ENDLESS / 4096 {
                    self.respond_body(id, &[b'x'; 4096], false);
                }
            }
            BodyEnd::Broken => self.break_off(
                id,
                "upstream_reset_after_response_started{connection_termination}",
                502,
            ),
            BodyEnd::Stalls => {
                if self.stream(id).end().is_none() && self.callout_of(id).is_none() {
                    self.wait_out(left);
                    self.break_off(id, "response_timeout", 504);
                }
            }
        }
    }

    /// Breaks off a response. The filter gets no callback: Envoy replies past it, with the status that
    /// `local_reply_config` of the shipped configuration gives.
    pub fn break_off(&mut self, id: u32, details: &str, status: u16) {
        let hook = self.stream(id).set_properties.contains_key("app_health_hook");
        let reset = details != "response_timeout";
        if self.stream(id).end().is_none() {
            self.envoy_replies(id, if hook && reset { 200 } else { status }, details, "");
        }
    }

    fn callout_of(&self, id: u32) -> Option<&Callout> {
        self.state().callouts.values().find(|callout| callout.stream == id)
    }

    fn play_callout(&mut self, callout: &Callout, app: App) {
        let timeout = millis(callout.timeout.as_millis() as u64);
        let app = self.wait_for(app, timeout);
        if matches!(app, App::Fails(UpstreamFailure::DialTimedOut)) {
            self.advance(DIAL);
        }
        match &callout.request {
            CalloutRequest::Http { .. } => {
                let response = self.http_call_response(timeout, app);
                self.answer_http_call(callout.token, response);
            }
            CalloutRequest::Grpc { .. } => self.answer_grpc_call(callout.token, grpc_response(app)),
        }
    }

    fn http_call_response(&mut self, timeout: Option<Duration>, app: App) -> CalloutResponse {
        match app {
            App::Http(http) => {
                let body = http.pieces.concat();
                match http.end {
                    BodyEnd::Broken | BodyEnd::Endless => return CalloutResponse::default(),
                    BodyEnd::Stalls => {
                        self.wait_out(timeout.map(|timeout| timeout - http.after));
                        return CalloutResponse::default();
                    }
                    _ => {}
                }
                let mut headers = http.headers;
                headers.add(b"x-envoy-upstream-service-time", b"1");
                let trailers = http.end == BodyEnd::Trailers;
                let trailers = trailers.then(|| Headers::of([("x-trailer", "1")]));
                CalloutResponse {
                    headers: Some(headers),
                    body,
                    trailers,
                    ..CalloutResponse::default()
                }
            }
            App::Fails(failure) => failure.callout_response(),
            other => panic!("a gRPC answer to an HTTP request: {other:?}"),
        }
    }
}

/// A timeout of 0 is no limit, for a route and for a dispatched call.
fn millis(timeout: u64) -> Option<Duration> {
    (timeout > 0).then(|| Duration::from_millis(timeout))
}
