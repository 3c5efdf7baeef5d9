//! A check under way: how it is started, what it was answered, how it ends.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use log::{Level, debug, info, log_enabled, warn};

use crate::callbacks::Action;
use crate::host::{BufferType, MapType, StreamType};
use crate::outcome::{self, Outcome, with_cause};
use crate::pairs::Pairs;
use crate::redirect::Hop;
use crate::request::{self, Address, Line};
use crate::settings::Settings;
use crate::table::{Entry, Http, Wire};
use crate::{grpc, host};

/// The state that ORIGINAL_DST clusters take the destination from.
const DESTINATION_STATE: &str = "envoy.network.transport_socket.original_dst_address";
/// The property that the routes of the shipped configuration match, as `wasm.app_health`.
const ROUTE_PROPERTY: &str = "app_health";
/// Set for lifecycle hooks: a body that breaks off is no failure.
const HOOK_PROPERTY: &str = "app_health_hook";

const ROUTER_TIMEOUT_HEADER: &[u8] = b"x-envoy-upstream-rq-timeout-ms";
const ROUTER_RETRIES_HEADER: &[u8] = b"x-envoy-max-retries";
/// The `connect_timeout` of the clusters that carry HTTP.
const HTTP_DIAL_MS: u32 = 30_000;
/// Envoy adds it to what a dispatched call was answered by the upstream itself.
pub const GENUINE_HEADER: &str = "x-envoy-upstream-service-time";
/// So much of a body decides; what comes after it does not matter to the kubelet.
pub const BODY_LIMIT: usize = 10 << 10;
/// So much of a redirect's body Go reads before it follows, unless a longer one is announced.
pub const REDIRECT_BODY_LIMIT: usize = 2 << 10;
/// How long a check without a limit is dialled: as long as Linux itself tries by default.
const LONGEST_DIAL: Duration = Duration::from_secs(127);

/// A check under way.
pub struct Run {
    pub entry: Rc<Entry>,
    /// The client's request.
    pub client: Pairs,
    /// Whether Envoy's router may carry it. Where it may not, all is dispatched.
    pub routable: bool,
    /// Where the connection came to.
    pub local: Address,
    /// The pod's address, which is asked.
    pub pod: Address,
    pub status_port: u16,
    pub stage: Stage,
    /// The token of the dispatched call that is awaited, if one is.
    pub call: u32,
    /// How often a gRPC connection that the app closed was made anew.
    pub dialled_again: u8,
    pub outcome: Option<Outcome>,
    /// The client has its answer, or has gone.
    pub is_gone: bool,
}

/// What is awaited.
pub enum Stage {
    /// Nothing yet.
    Start,
    /// The head of the answer that Envoy's router carries.
    Routed,
    /// The rest of that answer's body.
    Body { status: u16, received: usize },
    /// The body of a redirect, which Go reads before it follows.
    Redirect { next: Hop, received: usize },
    /// The answer of a later hop, dispatched.
    Hop { hop: Hop, authorized: bool },
    /// The agent's answer.
    Tcp { port: u16 },
    /// A connection that Envoy makes in the agent's place.
    Connecting { port: u16 },
    /// The health service's answer.
    Grpc,
    /// Nothing more.
    Done,
}

impl Run {
    pub fn is_hook(&self) -> bool {
        self.entry.kind.is_hook()
    }

    /// Whether a dispatched call is awaited.
    pub fn is_called(&self) -> bool {
        matches!(self.stage, Stage::Tcp { .. } | Stage::Hop { .. } | Stage::Grpc)
    }

    /// Names the destination and the route by which Envoy's router gets there.
    pub fn name_route(&self, route: &str, port: u16) -> Result<(), Outcome> {
        let destination = self.pod.at(port);
        let state = grpc::filter_state(DESTINATION_STATE, &destination);
        let set = host::call_foreign_function("set_envoy_filter_state", &state)
            && host::set_property(ROUTE_PROPERTY, route)
            && (!self.is_hook() || host::set_property(HOOK_PROPERTY, ""));
        if set {
            return Ok(());
        }
        Err(Outcome::unreached(with_cause("Envoy does not take", &destination)))
    }

    /// Sets the router's limits: the time, and how often a failed dial is made anew. A header that
    /// changes is also what has Envoy look for the route anew.
    pub fn set_router_limits(&self, ms: u32, dials_again: u32) -> bool {
        let set = |name, number: u32| {
            host::set_header(MapType::HttpRequestHeaders, name, number.to_string().as_bytes())
        };
        (dials_again == 0 || set(ROUTER_RETRIES_HEADER, dials_again))
            && set(ROUTER_TIMEOUT_HEADER, ms)
    }

    #[inline(never)]
    pub fn start_http(&mut self, http: &Http, settings: &Settings) -> Result<Action, Outcome> {
        if !self.routable {
            let hop = self.first_hop().ok_or_else(|| Outcome::unreached("no httpGet"))?;
            return self.dispatch_hop(hop, true, settings);
        }
        let own_proto = request::own_forwarded_proto(&self.client).is_some();
        self.name_route(route(http.wire, own_proto), http.port)?;
        let authorization = request::basic_authorization(&http.url);
        let authority = self.authority(http);
        let line = Line {
            target: &http.target,
            authority: &authority,
            wire: http.wire,
            authorization: authorization.as_deref(),
        };
        let taken = line.changes(&self.client).into_iter().all(|(name, value)| match value {
            Some(value) => host::set_header(MapType::HttpRequestHeaders, name, value),
            None => host::remove_header(MapType::HttpRequestHeaders, name),
        });
        let ms = self.entry.timeout_ms;
        let limit = if ms == 0 { LONGEST_DIAL.as_millis() as u32 } else { ms };
        if !taken || !self.set_router_limits(ms, limit / HTTP_DIAL_MS) {
            return Err(Outcome::unreached("Envoy does not take the probe's headers"));
        }
        self.stage = Stage::Routed;
        Ok(Action::Continue)
    }

    /// The Host that the app sees.
    pub fn authority(&self, http: &Http) -> Vec<u8> {
        let client = self.client.get(b":authority").unwrap_or_default();
        let own: &[&Address] = if http.has_host { &[] } else { &[&self.local, &self.pod] };
        request::authority(client, own, self.status_port, http.port)
    }

    fn elapsed(&self) -> Duration {
        let now = host::now();
        let started = host::property("request\0time");
        let started = started.and_then(|bytes| Some(u64::from_le_bytes(*bytes.first_chunk()?)));
        // Where Envoy did not say, a later hop would have all of it again.
        Duration::from_nanos(now.saturating_sub(started.unwrap_or(now)))
    }

    /// What is left of the timeout, at least 1 ms; zero where there is no limit.
    pub fn remaining(&self) -> Result<Duration, Outcome> {
        let limit = self.entry.timeout();
        if limit.is_zero() || matches!(self.stage, Stage::Start) {
            return Ok(limit);
        }
        let left = limit.saturating_sub(self.elapsed());
        if left < Duration::from_millis(1) { Err(Outcome::timeout()) } else { Ok(left) }
    }

    /// Whether a dial that Envoy's own limit has ended is to be made anew.
    pub fn may_dial_again(&self) -> bool {
        let limit = self.entry.timeout();
        self.elapsed() < if limit.is_zero() { LONGEST_DIAL } else { limit }
    }

    /// Whether the time is up, as Envoy's timers count it: in whole milliseconds.
    pub fn is_over(&self) -> bool {
        !self.remaining().is_ok_and(|left| left.is_zero() || left > Duration::from_millis(5))
    }

    /// A dispatched answer that began and did not end: timed out, truncated or too long.
    pub fn call_broken(&self) -> Outcome {
        if self.is_hook() {
            Outcome::Answered(200)
        } else if self.is_over() {
            Outcome::timeout()
        } else {
            Outcome::invalid("the app's answer broke off, or was longer than Envoy buffers")
        }
    }

    /// Ends the check. A hook without an answer fails as it would without the sidecar: the kubelet
    /// would take any status for a success.
    pub fn conclude(&mut self, outcome: Outcome) -> Action {
        if !self.is_hook() || matches!(outcome, Outcome::Answered(_)) {
            return self.reply(outcome);
        }
        let responding = matches!(
            self.stage,
            Stage::Routed
                | Stage::Connecting { .. }
                | Stage::Body { .. }
                | Stage::Redirect { .. }
                | Stage::Hop { .. }
        );
        host::close(if responding { StreamType::HttpResponse } else { StreamType::HttpRequest });
        self.stage = Stage::Done;
        self.outcome = Some(outcome);
        Action::Pause
    }

    pub fn reply(&mut self, outcome: Outcome) -> Action {
        reply(&outcome);
        self.stage = Stage::Done;
        self.outcome = Some(outcome);
        Action::Pause
    }

    /// Logs what it came to, and whether that is a change.
    #[inline(never)]
    pub fn log(&self) {
        let outcome = self.outcome.clone().unwrap_or_else(|| self.outcome_of_envoy());
        let Some(passes) = outcome.passes(self.is_hook()) else {
            debug!("{}: no answer: {}", self.entry.name(), said(&outcome));
            return;
        };
        let changed = passes == self.entry.failing.replace(!passes);
        if !changed && !log_enabled!(Level::Debug) {
            return;
        }
        let name = self.entry.name();
        let status = u32::from(outcome.status()).to_string();
        let reason = said(&outcome);
        debug!("{name}: {status} {reason}");
        match (changed, passes) {
            (false, _) => {}
            (true, true) => info!("{name}: passing: {status} {reason}"),
            (true, false) => warn!("{name}: failing: {status} {reason}"),
        }
    }

    /// What Envoy itself answered, past the filter.
    fn outcome_of_envoy(&self) -> Outcome {
        let details = host::property("response\0code_details").unwrap_or_default();
        let code = host::property("response\0code").unwrap_or_default();
        let code = code.first_chunk::<8>().map_or(0, |bytes| i64::from_le_bytes(*bytes));
        match u16::try_from(code).unwrap_or(0) {
            // Of a request for an upgrade Envoy waits for the end, which never comes.
            _ if details.starts_with(b"downstream_") || details == b"request_overall_timeout" => {
                Outcome::Abandoned
            }
            0 => Outcome::Abandoned,
            // Its body broke off or stalled, which the configuration answers as the kubelet has it.
            status if self.is_hook() => Outcome::Answered(status),
            status => {
                let of_details = outcome::of_details(&String::from_utf8_lossy(&details));
                Outcome::failed(status, of_details.reason().to_owned())
            }
        }
    }
}

/// What a line of the log says of it.
fn said(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Answered(_) => "from the app",
        Outcome::Failed { reason, .. } | Outcome::Declined { reason, .. } => reason,
        Outcome::Abandoned => "the client went away before it",
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.entry.under_way.set(self.entry.under_way.get().saturating_sub(1));
    }
}

/// The route's name; `own_proto`: the probe itself sends an x-forwarded-proto.
fn route(wire: Wire, own_proto: bool) -> &'static str {
    match (wire, own_proto) {
        (Wire::Http, false) => "http",
        (Wire::Http, true) => "http+xfp",
        (Wire::Http2, false) => "http2",
        (Wire::Http2, true) => "http2+xfp",
        (Wire::Https, false) => "https",
        (Wire::Https, true) => "https+xfp",
    }
}

pub fn reply(outcome: &Outcome) {
    let allow: &[(&[u8], &[u8])] = &[(b"allow", b"GET, HEAD")];
    let status = outcome.status();
    host::reply(status, if status == 405 { allow } else { &[] }, outcome.reason());
}

/// The text of an answer to a dispatched call. Of a failure, where the call's Content-Type is
/// gRPC's, it is in a header.
pub fn call_text() -> String {
    let body = host::buffer(BufferType::HttpCallResponseBody, BODY_LIMIT).unwrap_or_default();
    let message = || host::header(MapType::HttpCallResponseHeaders, "grpc-message");
    let text = if body.is_empty() { message().unwrap_or_default() } else { body };
    String::from_utf8_lossy(&text).into_owned()
}
