//! A check under way: how it is started, what it was answered, how it ends.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use app_health_webhook::tcp_check::{self, Answer};
use log::{Level, debug, info, log_enabled, warn};

use crate::callbacks::Action;
use crate::host::{BufferType, MapType, StreamType};
use crate::outcome::{self, Outcome, with_cause};
use crate::pairs::Pairs;
use crate::redirect::Hop;
use crate::request::{self, Address, Line};
use crate::table::{Check, Entry, Http};
use crate::{grpc, host};

/// The agent gets so much less than the filter waits, so that its reason arrives.
const AGENT_MARGIN_MS: u32 = 50;

/// The state that ORIGINAL_DST clusters take the destination from.
const DESTINATION_STATE: &str = "envoy.network.transport_socket.original_dst_address";
/// The property that the routes of the shipped configuration match, as `wasm.app_health`.
const ROUTE_PROPERTY: &str = "app_health";
/// Set for lifecycle hooks: a body that breaks off is no failure.
const HOOK_PROPERTY: &str = "app_health_hook";

const CONNECTED: u16 = Answer::Connected.status();
const FAILED: u16 = Answer::Failed.status();

const DESTINATION_HEADER: &[u8] = b"x-envoy-original-dst-host";
const ROUTER_TIMEOUT_HEADER: &[u8] = b"x-envoy-upstream-rq-timeout-ms";
/// Envoy adds it to what a dispatched call was answered by the upstream itself.
pub const GENUINE_HEADER: &str = "x-envoy-upstream-service-time";
/// So much of a body decides; what comes after it does not matter to the kubelet.
pub const BODY_LIMIT: usize = 10 << 10;
/// So much of a redirect's body Go reads before it follows, unless a longer one is announced.
pub const REDIRECT_BODY_LIMIT: usize = 2 << 10;

/// A check under way.
pub struct Run {
    pub entry: Rc<Entry>,
    /// The client's request.
    pub client: Pairs,
    /// Where the connection came to.
    pub local: Address,
    /// The pod's address, which is asked.
    pub pod: Address,
    pub status_port: u16,
    pub stage: Stage,
    /// The token of the dispatched call that is awaited, if one is.
    pub call: u32,
    pub outcome: Option<Outcome>,
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
    Tcp,
    /// The health service's answer.
    Grpc,
    /// Nothing more.
    Done,
}

impl Run {
    pub fn is_hook(&self) -> bool {
        self.entry.kind.is_hook()
    }

    #[inline(never)]
    pub fn start_http(&mut self, http: &Http) -> Result<Action, Outcome> {
        let destination = self.pod.at(http.port);
        let state = grpc::filter_state(DESTINATION_STATE, &destination);
        let own_proto = request::own_forwarded_proto(&self.client).is_some();
        let route = match (http.https, own_proto) {
            (false, false) => "http",
            (false, true) => "http+xfp",
            (true, false) => "https",
            (true, true) => "https+xfp",
        };
        let set = host::call_foreign_function("set_envoy_filter_state", &state)
            && host::set_property(ROUTE_PROPERTY, route)
            && (!self.is_hook() || host::set_property(HOOK_PROPERTY, ""));
        if !set {
            return Err(Outcome::unreached(with_cause("Envoy does not take", &destination)));
        }
        let authorization = request::basic_authorization(&http.url);
        let authority = self.authority(http);
        let line = Line {
            target: &http.target,
            authority: &authority,
            https: http.https,
            authorization: authorization.as_deref(),
        };
        let timeout = self.entry.timeout_ms.to_string();
        let mut changes = line.changes(&self.client);
        // Set on every probe: a changed header is what has Envoy look for the route anew.
        changes.push((ROUTER_TIMEOUT_HEADER, Some(timeout.as_bytes())));
        let taken = changes.into_iter().all(|(name, value)| match value {
            Some(value) => host::set_header(MapType::HttpRequestHeaders, name, value),
            None => host::remove_header(MapType::HttpRequestHeaders, name),
        });
        if !taken {
            return Err(Outcome::unreached("Envoy does not take the probe's headers"));
        }
        self.stage = Stage::Routed;
        Ok(Action::Continue)
    }

    #[inline(never)]
    pub fn start_tcp(&mut self, port: u16, cluster: &str) -> Result<Action, Outcome> {
        let path = tcp_check::path(&self.pod.ip, port);
        let timeout = self.entry.timeout();
        let millis = timeout.as_millis() as u32;
        let for_agent = millis.saturating_sub(AGENT_MARGIN_MS.min(millis / 2)).to_string();
        let mut headers: Vec<(&[u8], &[u8])> = vec![
            (b":method", b"GET"),
            (b":path", path.as_bytes()),
            (b":authority", b"app-health-agent"),
        ];
        if millis > 0 {
            headers.push((tcp_check::TIMEOUT_HEADER.as_bytes(), for_agent.as_bytes()));
        }
        self.call = host::dispatch_http(cluster, &headers, timeout)
            .ok_or_else(|| Outcome::unreached("the agent cannot be asked: no such cluster"))?;
        self.stage = Stage::Tcp;
        Ok(Action::Pause)
    }

    #[inline(never)]
    pub fn tcp_answered(&mut self, num_headers: usize) {
        let status = host::header(MapType::HttpCallResponseHeaders, ":status").unwrap_or_default();
        let genuine = host::header(MapType::HttpCallResponseHeaders, GENUINE_HEADER).is_some();
        let body = call_body();
        let reason = body.trim_ascii_end();
        self.conclude(match outcome::parse_status(&status) {
            CONNECTED if genuine => Outcome::answered(200),
            FAILED if genuine => Outcome::unreached(with_cause("tcp", reason)),
            _ if genuine => Outcome::unreached(with_cause("the agent refused", reason)),
            504 => Outcome::unreached("the agent did not answer in time"),
            _ if num_headers == 0 => Outcome::unreached("the agent's answer broke off"),
            _ => Outcome::unreached(with_cause("the agent cannot be reached", reason)),
        });
    }

    #[inline(never)]
    pub fn start_grpc(
        &mut self,
        port: u16,
        service: &str,
        cluster: &str,
    ) -> Result<Action, Outcome> {
        let destination = self.pod.at(port);
        let mut metadata = vec![(DESTINATION_HEADER, destination.as_bytes())];
        if let Some(agent) = self.client.get(b"user-agent") {
            metadata.push((b"user-agent", agent));
        }
        self.call = host::dispatch_grpc(
            &grpc::service(cluster, &destination),
            ("grpc.health.v1.Health", "Check"),
            &metadata,
            &grpc::health_request(service),
            self.entry.timeout(),
        )
        .ok_or_else(|| Outcome::unreached("grpc: the check cannot be sent"))?;
        self.stage = Stage::Grpc;
        Ok(Action::Pause)
    }

    /// The request that the router carried, as a redirect of its answer sees it.
    pub fn first_hop(&self) -> Option<Hop> {
        let Ok(Check::Http(http)) = &self.entry.check else { return None };
        let mut url = http.url.clone();
        url.scheme = if http.https { "https" } else { "http" }.to_owned();
        url.host = self.pod.at(http.port).into_bytes();
        Some(Hop { url, authority: self.authority(http), followed: 0 })
    }

    fn authority(&self, http: &Http) -> Vec<u8> {
        let client = self.client.get(b":authority").unwrap_or_default();
        let own: &[&Address] = if http.has_host { &[] } else { &[&self.local, &self.pod] };
        request::authority(client, own, self.status_port, http.port)
    }

    pub fn dispatch_hop(
        &self,
        cluster: &str,
        from: Option<&Hop>,
        hop: &Hop,
        authorized: bool,
    ) -> Result<u32, Outcome> {
        let port = hop.port().filter(|port| *port != 0);
        let port = port.ok_or_else(|| Outcome::invalid("redirect: no such port"))?;
        if port == self.status_port || port == self.local.port {
            return Err(Outcome::unreached("redirect to the status port: it would probe itself"));
        }
        let target = hop.url.request_target();
        let destination = self.pod.at(port);
        let authorization = request::basic_authorization(&hop.url).filter(|_| authorized);
        let referer = from.and_then(|from| from.referer(hop));
        let line = Line {
            target: &target,
            authority: &hop.authority,
            https: hop.is_https(),
            authorization: authorization.as_deref(),
        };
        let own_referer = self.client.get(b"referer").is_some_and(|referer| !referer.is_empty());
        let mut sent = line.headers(&self.client);
        sent.retain(|(name, _)| match *name {
            b"authorization" => authorized,
            b"referer" => own_referer,
            _ => true,
        });
        sent.push((DESTINATION_HEADER, destination.as_bytes()));
        if let Some(referer) = referer.as_ref().filter(|_| !own_referer) {
            sent.push((b"referer", referer));
        }
        host::dispatch_http(cluster, &sent, self.remaining()?)
            .ok_or_else(|| Outcome::unreached("redirect: the request cannot be sent"))
    }

    /// What is left of the timeout, at least 1 ms; zero where there is no limit.
    fn remaining(&self) -> Result<Duration, Outcome> {
        let limit = self.entry.timeout();
        if limit.is_zero() {
            return Ok(limit);
        }
        let now = host::now();
        let started = host::property("request\0time");
        let started = started.and_then(|bytes| Some(u64::from_le_bytes(*bytes.first_chunk()?)));
        // Where Envoy did not say, a later hop would have all of it again.
        let elapsed = Duration::from_nanos(now.saturating_sub(started.unwrap_or(now)));
        let left = limit.saturating_sub(elapsed);
        if left < Duration::from_millis(1) { Err(Outcome::timeout()) } else { Ok(left) }
    }

    /// A dispatched answer that began and did not end: timed out, truncated or too long.
    pub fn call_broken(&self) -> Outcome {
        if self.is_hook() {
            return Outcome::answered(200);
        }
        match self.remaining() {
            Ok(left) if left > Duration::from_millis(5) => {
                Outcome::invalid("the app's answer broke off, or was longer than Envoy buffers")
            }
            _ => Outcome::timeout(),
        }
    }

    /// Ends the check. A hook without an answer fails as it would without the sidecar: the kubelet
    /// would take any status for a success.
    pub fn conclude(&mut self, outcome: Outcome) -> Action {
        if outcome.reason.is_empty() || !self.is_hook() {
            return self.reply(outcome);
        }
        let responding = matches!(
            self.stage,
            Stage::Routed | Stage::Body { .. } | Stage::Redirect { .. } | Stage::Hop { .. }
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
        let of_envoy;
        let outcome = match &self.outcome {
            Some(outcome) => outcome,
            None => {
                of_envoy = outcome_of_envoy();
                &of_envoy
            }
        };
        let passes = if self.is_hook() { outcome.reason.is_empty() } else { outcome.passes() };
        let changed = passes == self.entry.failing.replace(!passes);
        if !changed && !log_enabled!(Level::Debug) {
            return;
        }
        let name = self.entry.name();
        let status = u32::from(outcome.status).to_string();
        let reason = if outcome.reason.is_empty() { "from the app" } else { &*outcome.reason };
        debug!("{name}: {status} {reason}");
        match (changed, passes) {
            (false, _) => {}
            (true, true) => info!("{name}: passing: {status} {reason}"),
            (true, false) => warn!("{name}: failing: {status} {reason}"),
        }
    }
}

/// What Envoy itself answered, past the filter.
fn outcome_of_envoy() -> Outcome {
    let code = host::property("response\0code").unwrap_or_default();
    let code = code.first_chunk::<8>().map_or(0, |bytes| i64::from_le_bytes(*bytes));
    if code == 0 {
        return Outcome { status: 0, reason: "the client went away before the answer".into() };
    }
    let details = host::property("response\0code_details").unwrap_or_default();
    let reason = outcome::of_details(&String::from_utf8_lossy(&details)).reason;
    Outcome { status: u16::try_from(code).unwrap_or(0), reason }
}

pub fn reply(outcome: &Outcome) {
    let allow: &[(&[u8], &[u8])] = &[(b"allow", b"GET, HEAD")];
    host::reply(outcome.status, if outcome.status == 405 { allow } else { &[] }, &outcome.reason);
}

pub fn call_body() -> String {
    let body = host::buffer(BufferType::HttpCallResponseBody, BODY_LIMIT).unwrap_or_default();
    String::from_utf8_lossy(&body).into_owned()
}
