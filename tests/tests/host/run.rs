//! A script of the app, played against the filter until the client has its answer.

use std::time::Duration;

use super::app::{App, End, Failure, Http, grpc_answer};
use super::callout::{CallAnswer, Callout, Kind};
use super::headers::Headers;
use super::stream::{Answer, Outcome, Phase};
use super::{Host, Request};

/// By which way the filter asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Envoy's router carries the client's request on.
    Routed,
    /// Dispatched HTTP.
    Hop,
    /// Dispatched gRPC.
    Grpc,
    /// Dispatched to a cluster with a fixed host: the agent.
    Agent,
}

/// What the filter asks of the app or the agent.
#[derive(Clone, Debug)]
pub struct Ask {
    pub way: Way,
    /// A callout's cluster; the property `app_health` of a routed request.
    pub cluster: String,
    /// `IP:PORT`
    pub destination: String,
    pub headers: Headers,
    /// A gRPC call's authority, service and method, divided by a space.
    pub rpc: String,
    /// A gRPC call's message.
    pub message: Vec<u8>,
    /// `None`: without limit.
    pub timeout: Option<Duration>,
    /// Since the request came.
    pub at: Duration,
}

impl Ask {
    /// `http://10.0.0.7:8080/path`: where it goes, whatever the Host header says.
    pub fn url(&self) -> String {
        let scheme = self.headers.get(":scheme").unwrap_or_default();
        let path = self.headers.get(":path").unwrap_or_default();
        format!("{scheme}://{}{path}", self.destination)
    }
}

/// What came of a request.
#[derive(Clone, Debug)]
pub struct Probe {
    pub outcome: Outcome,
    /// What was asked, in order.
    pub asks: Vec<Ask>,
    /// Until the client had its answer.
    pub took: Duration,
}

impl Probe {
    /// The answer's status; 0: the connection was closed without one.
    pub fn status(&self) -> u16 {
        self.answer().map_or(0, Answer::status)
    }

    pub fn answer(&self) -> Option<&Answer> {
        match &self.outcome {
            Outcome::Answer(answer) => Some(answer),
            _ => None,
        }
    }

    /// The answer's body.
    pub fn reason(&self) -> String {
        self.answer().map(Answer::text).unwrap_or_default()
    }

    /// Where the filter asked, in order.
    pub fn urls(&self) -> Vec<String> {
        self.asks.iter().map(Ask::url).collect()
    }
}

/// `connect_timeout` of the clusters that calls are dispatched to.
const DIAL: Duration = Duration::from_millis(250);

/// How much of an endless body comes at most.
const ENDLESS: usize = 4 << 20;

impl Host {
    /// Sends a request, and lets `app` answer all that the filter asks, until the client has its
    /// answer. Time goes by as the script says; what does not answer costs the whole timeout.
    ///
    /// # Panics
    ///
    /// Where the client would wait for ever, and where the filter passes the request on to the
    /// listener's routes.
    pub fn run(&mut self, request: Request, mut app: impl FnMut(&Ask) -> App) -> Probe {
        let start = self.state().now;
        let id = self.request(request);
        let mut asks = Vec::new();
        loop {
            let at = self.state().now - start;
            let ask = match &self.stream(id).phase {
                Phase::Ended(outcome) => {
                    return Probe { outcome: outcome.clone(), asks, took: at };
                }
                Phase::Routed => self.routed(id, at),
                _ => self.called(id, at),
            };
            let answer = app(&ask.0);
            asks.push(ask.0.clone());
            match ask.1 {
                None => self.play_routed(id, &ask.0, answer),
                Some(callout) => self.play_callout(&callout, answer),
            }
        }
    }

    fn routed(&mut self, id: u32, at: Duration) -> (Ask, Option<Callout>) {
        self.check_route(id);
        let stream = self.stream(id);
        let destination = stream.destination().expect("routed to an app, not to the routes");
        let timeout = stream.request.get("x-envoy-upstream-rq-timeout-ms");
        let timeout = timeout.expect("the route's own timeout is not a probe's");
        let ask = Ask {
            way: Way::Routed,
            cluster: stream.set_property("app_health").unwrap_or_default(),
            destination: destination.to_owned(),
            headers: stream.request.clone(),
            rpc: String::new(),
            message: Vec::new(),
            timeout: millis(timeout.parse().expect("milliseconds")),
            at,
        };
        (ask, None)
    }

    /// What the shipped routes need, or no route matches.
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

    fn called(&self, id: u32, at: Duration) -> (Ask, Option<Callout>) {
        let waiting = self.state().callouts.values().find(|callout| callout.stream == id);
        let callout = waiting.unwrap_or_else(|| {
            panic!(
                "the client waits for ever: no callout, {:?}\n{}",
                self.stream(id).phase,
                self.log_text()
            )
        });
        let mut ask = Ask {
            way: Way::Hop,
            cluster: callout.cluster.clone(),
            destination: callout.destination().unwrap_or_default(),
            headers: callout.headers().clone(),
            rpc: String::new(),
            message: Vec::new(),
            timeout: millis(callout.timeout.as_millis() as u64),
            at,
        };
        if let Kind::Grpc { authority, service, method, message, .. } = &callout.kind {
            ask.way = Way::Grpc;
            ask.rpc = format!("{authority} {service} {method}");
            ask.message = message.clone();
        } else if ask.destination.is_empty() {
            ask.way = Way::Agent;
        }
        (ask, Some(callout.clone()))
    }

    fn wait_out(&mut self, timeout: Option<Duration>) {
        let timeout = timeout.expect("nothing ends this check: it has no timeout");
        self.advance(timeout);
    }

    fn play_routed(&mut self, id: u32, ask: &Ask, app: App) {
        match app {
            App::Http(http) if ask.timeout.is_none_or(|timeout| http.after < timeout) => {
                self.advance(http.after);
                let left = ask.timeout.map(|timeout| timeout - http.after);
                self.play_answer(id, left, http);
            }
            App::Http(_) | App::Fails(Failure::Silent) => {
                self.wait_out(ask.timeout);
                self.envoy_replies(id, 504, "response_timeout", "upstream request timeout");
            }
            App::Fails(failure) => {
                let (status, details, text) = failure.routed();
                self.envoy_replies(id, status, details, text);
            }
            other => panic!("a gRPC answer to an HTTP request: {other:?}"),
        }
    }

    fn play_answer(&mut self, id: u32, left: Option<Duration>, http: Http) {
        let Http { headers, pieces, end, .. } = http;
        let whole = end == End::Whole;
        self.respond(id, headers, whole && pieces.is_empty());
        let last = pieces.len();
        for (n, piece) in pieces.iter().enumerate() {
            self.respond_body(id, piece, whole && n + 1 == last);
        }
        match end {
            End::Whole => {}
            End::EmptyPiece => self.respond_body(id, b"", true),
            End::Trailers => self.respond_trailers(id, Headers::of([("x-trailer", "1")])),
            End::Endless => {
                for _ in 0..ENDLESS / 4096 {
                    self.respond_body(id, &[b'x'; 4096], false);
                }
            }
            End::Broken => self.break_off(
                id,
                "upstream_reset_after_response_started{connection_termination}",
                502,
            ),
            End::Stalls => {
                if self.stream(id).outcome().is_none() && self.callout_of(id).is_none() {
                    self.wait_out(left);
                    self.break_off(id, "response_timeout", 504);
                }
            }
        }
    }

    /// No callback comes: Envoy replies past the filter, with the status that the shipped
    /// configuration's `local_reply_config` gives.
    fn break_off(&mut self, id: u32, details: &str, status: u16) {
        let hook = self.stream(id).set_properties.contains_key("app_health_hook");
        let reset = details != "response_timeout";
        if self.stream(id).outcome().is_none() {
            self.envoy_replies(id, if hook && reset { 200 } else { status }, details, "");
        }
    }

    fn callout_of(&self, id: u32) -> Option<&Callout> {
        self.state().callouts.values().find(|callout| callout.stream == id)
    }

    fn play_callout(&mut self, callout: &Callout, app: App) {
        let timeout = millis(callout.timeout.as_millis() as u64);
        let late = matches!(&app, App::Http(http) if timeout.is_some_and(|t| http.after >= t));
        let app = if late { App::Fails(Failure::Silent) } else { app };
        if matches!(app, App::Fails(Failure::Silent)) {
            self.wait_out(timeout);
        }
        if matches!(app, App::Fails(Failure::DialTimedOut)) {
            self.advance(DIAL);
        }
        match &callout.kind {
            Kind::Http { .. } => {
                let answer = self.http_call_answer(timeout, app);
                self.answer_call(callout.token, answer);
            }
            Kind::Grpc { .. } => self.answer_grpc(callout.token, grpc_answer(app)),
        }
    }

    fn http_call_answer(&mut self, timeout: Option<Duration>, app: App) -> CallAnswer {
        match app {
            App::Http(http) => {
                self.advance(http.after);
                let body = http.pieces.concat();
                match http.end {
                    End::Broken | End::Endless => return CallAnswer::default(),
                    End::Stalls => {
                        self.wait_out(timeout.map(|timeout| timeout - http.after));
                        return CallAnswer::default();
                    }
                    _ => {}
                }
                let mut headers = http.headers;
                headers.add(b"x-envoy-upstream-service-time", b"1");
                let trailers = http.end == End::Trailers;
                let trailers = trailers.then(|| Headers::of([("x-trailer", "1")]));
                CallAnswer { headers: Some(headers), body, trailers, ..CallAnswer::default() }
            }
            App::Fails(failure) => failure.called(),
            other => panic!("a gRPC answer to an HTTP request: {other:?}"),
        }
    }
}

/// 0 is no limit, for a route and for a dispatch.
fn millis(timeout: u64) -> Option<Duration> {
    (timeout > 0).then(|| Duration::from_millis(timeout))
}
