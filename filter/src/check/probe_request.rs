//! A client's request for a recorded probe or hook: what it asks for, at which address, and how long.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use app_health_webhook::handler::HandlerKind;
use app_health_webhook::reason::Reason;

use super::step::{Command, Facts};
use crate::config::FilterConfig;
use crate::outcome::{Outcome, with_cause};
use crate::request::{self, HeaderChange, Headers, SocketAddress};
use crate::runs::LONGEST_CALL;
use crate::table::{Entry, HandlerAction, HttpAction};

const ROUTER_TIMEOUT_HEADER: &str = "x-envoy-upstream-rq-timeout-ms";
const ROUTER_RETRIES_HEADER: &str = "x-envoy-max-retries";
/// How long the app is dialled in a check without a limit: as long as Linux tries by default.
pub const LONGEST_DIAL: Duration = Duration::from_secs(127);

/// A request for a recorded probe or hook.
pub struct ProbeRequest {
    pub config: Rc<FilterConfig>,
    pub entry: Rc<Entry>,
    /// The headers of the client's request.
    pub client: Headers,
    /// Whether Envoy's router may carry the request. If not, every hop is dispatched.
    pub routable: bool,
    /// The address that the client connected to.
    pub local: SocketAddress,
    /// The pod's address, at which the app is asked.
    pub pod: SocketAddress,
    /// The port that rewritten probes name.
    pub status_port: u16,
    /// When the request arrived, in monotonic time.
    pub started: Duration,
    /// When the hook's dispatched call that is under way will have ended.
    call: Cell<Option<Duration>>,
}

impl ProbeRequest {
    /// # Errors
    /// Envoy does not say to which address of the pod the client connected.
    pub fn new(
        config: Rc<FilterConfig>,
        entry: Rc<Entry>,
        client: Headers,
        routable: bool,
        facts: &dyn Facts,
    ) -> Result<Self, Outcome> {
        let Addresses { local, pod } = Addresses::new(&config, facts)?;
        let status_port = config.settings.status_port.unwrap_or(local.port);
        entry.runs.begin();
        let started = facts.now();
        Ok(Self {
            config,
            entry,
            client,
            routable,
            local,
            pod,
            status_port,
            started,
            call: Cell::default(),
        })
    }

    pub fn is_hook(&self) -> bool {
        self.entry.kind.is_hook()
    }

    /// What is tried: `tcp 10.0.0.7:2940`; `None` where the entry is not valid.
    pub fn tried(&self) -> Option<String> {
        let action = self.entry.action.as_ref().ok()?;
        Some([action.protocol(), " ", &self.pod.at(action.port())].concat())
    }

    /// The kind of the handler, as far as a status depends on it.
    pub fn handler(&self) -> HandlerKind {
        self.entry.action.as_ref().map_or(HandlerKind::HttpGet, HandlerAction::kind)
    }

    /// Whether the filter itself listens on this port.
    pub fn is_own_port(&self, port: u16) -> bool {
        port == self.status_port || port == self.local.port
    }

    /// The Host header that the app sees.
    pub fn authority(&self, action: &HttpAction) -> Vec<u8> {
        let client = self.client.get(":authority").unwrap_or_default();
        let own: &[&SocketAddress] = if action.has_host { &[] } else { &[&self.local, &self.pod] };
        request::authority(client, own, self.status_port, action.port)
    }

    pub fn set_destination(&self, route: &'static str, port: u16) -> Command {
        Command::SetDestination { route, destination: self.pod.at(port), is_hook: self.is_hook() }
    }

    pub fn destination_refused(&self, port: u16) -> Outcome {
        Outcome::failed(Reason::Proxy, with_cause("Envoy does not take", &self.pod.at(port)))
    }

    /// The time since the request, in whole milliseconds as Envoy's timers count.
    fn elapsed(&self, now: Duration) -> Duration {
        Duration::from_millis(now.saturating_sub(self.started).as_millis() as u64)
    }

    /// The time that is left; zero where there is no limit.
    ///
    /// # Errors
    /// The timeout as an outcome, where no time is left.
    pub fn remaining(&self, now: Duration) -> Result<Duration, Outcome> {
        let limit = self.entry.timeout();
        let left = limit.saturating_sub(self.elapsed(now));
        if left.is_zero() && !limit.is_zero() { Err(Outcome::timeout()) } else { Ok(left) }
    }

    /// Begins a dispatched call, and returns the time that it has.
    ///
    /// # Errors
    /// The outcome of the check, where no time is left or too many calls of the hook are under way.
    pub fn begin_call(&self, now: Duration) -> Result<Duration, Outcome> {
        let left = self.remaining(now)?;
        if !self.is_hook() {
            return Ok(left);
        }
        let until = self.entry.runs.begin_call(now);
        self.call.set(until);
        until.ok_or_else(|| {
            Outcome::not_made(Reason::Proxy, "16 calls of this hook are under way already")
        })?;
        Ok(if left.is_zero() { LONGEST_CALL } else { left })
    }

    /// Ends the dispatched call, which has been answered or was not accepted.
    pub fn end_call(&self) {
        if let Some(until) = self.call.take() {
            self.entry.runs.end_call(until);
        }
    }

    /// Whether there is time for another dial, after a `connect_timeout` has ended one.
    pub fn may_dial_again(&self, now: Duration) -> bool {
        let limit = self.entry.timeout();
        self.elapsed(now) < if limit.is_zero() { LONGEST_DIAL } else { limit }
    }

    /// Whether a client that has gone had waited for its time. The kubelet counts from before its dial, and so
    /// is gone a little before the time is over here.
    pub fn is_nearly_over(&self, now: Duration) -> bool {
        let limit = self.entry.timeout();
        !limit.is_zero() && self.elapsed(now) >= limit - limit / 10
    }

    /// Whether the time is over. The end of a call that Envoy ends at the limit may arrive 5 ms early.
    pub fn is_over(&self, now: Duration) -> bool {
        !self.remaining(now).is_ok_and(|left| left.is_zero() || left > Duration::from_millis(5))
    }
}

impl Drop for ProbeRequest {
    fn drop(&mut self) {
        self.entry.runs.end();
    }
}

/// Sets the router's limits: the time, and how often a failed dial is made anew. The changed header also
/// makes Envoy choose the route again.
pub fn limit_router(changes: &mut Vec<HeaderChange>, ms: u32, dials_again: u32) {
    let mut set = |name: &str, number: u32| {
        changes.push((name.to_owned(), Some(number.to_string().into_bytes())));
    };
    if dials_again > 0 {
        set(ROUTER_RETRIES_HEADER, dials_again);
    }
    set(ROUTER_TIMEOUT_HEADER, ms);
}

/// The two ends of a request's way through the filter.
pub struct Addresses {
    /// The address that the client connected to, and so the IP family to probe.
    pub local: SocketAddress,
    /// The pod's address, at which the app is asked.
    pub pod: SocketAddress,
}

impl Addresses {
    /// # Errors
    /// Envoy does not say to which address of the pod the client connected, or names no IP address.
    pub fn new(config: &FilterConfig, facts: &dyn Facts) -> Result<Self, Outcome> {
        let address = facts.destination();
        let address = String::from_utf8_lossy(&address);
        let local = SocketAddress::parse(&address).ok_or_else(|| {
            Outcome::failed(Reason::Proxy, with_cause("not an address of this pod", &address))
        })?;
        let mut pod = local.clone();
        if let Some(pod_ip) = config.pod_ip.as_ref().filter(|_| local.is_loopback()) {
            pod.ip.clone_from(pod_ip);
        }
        Ok(Self { local, pod })
    }
}
