//! One probe that a client has asked for: which one, of whom, and by what time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::step::{Command, Facts};
use crate::config::Shared;
use crate::outcome::{Outcome, with_cause};
use crate::request::{self, HeaderChange, Headers, SocketAddress};
use crate::runs::LONGEST_CALL;
use crate::table::{Entry, HttpAction};

const ROUTER_TIMEOUT_HEADER: &str = "x-envoy-upstream-rq-timeout-ms";
const ROUTER_RETRIES_HEADER: &str = "x-envoy-max-retries";
/// How long a check without a limit is dialled: as long as Linux itself tries by default.
pub const LONGEST_DIAL: Duration = Duration::from_secs(127);

/// A probe, from its request on.
pub struct ProbeRequest {
    pub shared: Rc<Shared>,
    pub entry: Rc<Entry>,
    /// The client's request.
    pub client: Headers,
    /// Whether Envoy's router may carry it. Where it may not, all is dispatched.
    pub routable: bool,
    /// Where the connection came to.
    pub local: SocketAddress,
    /// The pod's address, which is asked.
    pub pod: SocketAddress,
    /// The port that rewritten probes name.
    pub status_port: u16,
    /// When it came, in monotonic time.
    pub started: Duration,
    /// When a hook's dispatched call that is under way ends at the latest.
    call: Cell<Option<Duration>>,
}

impl ProbeRequest {
    /// # Errors
    /// Where Envoy does not say to which address of the pod the client came.
    pub fn new(
        shared: Rc<Shared>,
        entry: Rc<Entry>,
        client: Headers,
        routable: bool,
        facts: &dyn Facts,
    ) -> Result<Self, Outcome> {
        let local = local(facts)?;
        let status_port = shared.settings.status_port.unwrap_or(local.port);
        let mut pod = local.clone();
        if let Some(pod_ip) = shared.pod_ip.as_ref().filter(|_| local.is_loopback()) {
            pod.ip.clone_from(pod_ip);
        }
        entry.runs.begin();
        let started = facts.now();
        Ok(Self {
            shared,
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

    /// Whether the filter would ask itself there.
    pub fn is_own_port(&self, port: u16) -> bool {
        port == self.status_port || port == self.local.port
    }

    /// The Host that the app sees.
    pub fn authority(&self, action: &HttpAction) -> Vec<u8> {
        let client = self.client.get(":authority").unwrap_or_default();
        let own: &[&SocketAddress] = if action.has_host { &[] } else { &[&self.local, &self.pod] };
        request::authority(client, own, self.status_port, action.port)
    }

    pub fn set_destination(&self, route: &'static str, port: u16) -> Command {
        Command::SetDestination { route, destination: self.pod.at(port), is_hook: self.is_hook() }
    }

    pub fn destination_refused(&self, port: u16) -> Outcome {
        Outcome::unreached(with_cause("Envoy does not take", &self.pod.at(port)))
    }

    /// In whole milliseconds, as Envoy's timers count.
    fn elapsed(&self, now: Duration) -> Duration {
        Duration::from_millis(now.saturating_sub(self.started).as_millis() as u64)
    }

    /// What is left of the timeout; zero where there is no limit.
    ///
    /// # Errors
    /// Where nothing is left.
    pub fn remaining(&self, now: Duration) -> Result<Duration, Outcome> {
        let limit = self.entry.timeout();
        let left = limit.saturating_sub(self.elapsed(now));
        if left.is_zero() && !limit.is_zero() { Err(Outcome::timeout()) } else { Ok(left) }
    }

    /// The time that a dispatched call has, which begins now.
    ///
    /// # Errors
    /// Where nothing is left, or where too many calls of a hook are under way.
    pub fn begin_call(&self, now: Duration) -> Result<Duration, Outcome> {
        let left = self.remaining(now)?;
        if !self.is_hook() {
            return Ok(left);
        }
        let until = self.entry.runs.begin_call(now);
        self.call.set(until);
        until
            .ok_or_else(|| Outcome::declined(500, "16 calls of this hook are under way already"))?;
        Ok(if left.is_zero() { LONGEST_CALL } else { left })
    }

    /// The dispatched call has ended, or was not taken.
    pub fn end_call(&self) {
        if let Some(until) = self.call.take() {
            self.entry.runs.end_call(until);
        }
    }

    /// Whether a dial that Envoy's own limit has ended is to be made anew.
    pub fn may_dial_again(&self, now: Duration) -> bool {
        let limit = self.entry.timeout();
        self.elapsed(now) < if limit.is_zero() { LONGEST_DIAL } else { limit }
    }

    /// Whether the time is up: a call that Envoy ends at the limit may arrive a little before it.
    pub fn is_over(&self, now: Duration) -> bool {
        !self.remaining(now).is_ok_and(|left| left.is_zero() || left > Duration::from_millis(5))
    }
}

impl Drop for ProbeRequest {
    fn drop(&mut self) {
        self.entry.runs.end();
    }
}

/// Sets the router's limits: the time, and how often a failed dial is made anew. A header that changes
/// is also what has Envoy look for the route anew.
pub fn limit_router(changes: &mut Vec<HeaderChange>, ms: u32, dials_again: u32) {
    let mut set = |name: &str, number: u32| {
        changes.push((name.to_owned(), Some(number.to_string().into_bytes())));
    };
    if dials_again > 0 {
        set(ROUTER_RETRIES_HEADER, dials_again);
    }
    set(ROUTER_TIMEOUT_HEADER, ms);
}

/// The address that the client connected to, which says the IP family to probe.
fn local(facts: &dyn Facts) -> Result<SocketAddress, Outcome> {
    let address = facts.destination();
    let address = String::from_utf8_lossy(&address);
    SocketAddress::parse(&address)
        .ok_or_else(|| Outcome::unreached(with_cause("not an address of this pod", &address)))
}
