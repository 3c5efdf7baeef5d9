//! The handler `tcpSocket`: the agent is asked first; where it cannot be reached or breaks off, Envoy connects.

use std::time::Duration;

use app_health_webhook::reason::{self, Reason};
use app_health_webhook::tcp_check::{self, CheckStatus};

use super::call_response::{is_from_upstream, response_text};
use super::probe_request::{ProbeRequest, limit_router};
use super::step::{Command, Event, Facts, HttpCall, Source, Step};
use crate::metrics::TcpChecker;
use crate::outcome::{self, Outcome, readable, with_cause};

/// The agent gets so much less time than the filter waits, so that its reason arrives.
const AGENT_MARGIN_MS: u32 = 50;
/// The `connect_timeout` of the cluster by which Envoy connects.
const DIAL_MS: u32 = 250;

const CONNECTED: u16 = CheckStatus::Connected.status();
const FAILED: u16 = CheckStatus::Failed.status();

/// A `tcpSocket` under way.
pub struct TcpCheck {
    port: u16,
    stage: Stage,
}

/// What the check waits for.
enum Stage {
    /// Whether Envoy accepts the destination.
    Destination,
    /// The agent's answer.
    Agent,
    /// The connection that Envoy makes in the agent's place.
    Connection,
}

impl TcpCheck {
    /// Sets the destination before the agent is asked, since Envoy 1.36 accepts no filter state in the
    /// callback of a dispatched call.
    pub fn start(port: u16, probe: &ProbeRequest) -> (Self, Step) {
        let mut tcp = Self { port, stage: Stage::Destination };
        let step = if probe.routable {
            Step::Go(probe.set_destination("tcp", port))
        } else {
            tcp.ask_agent(probe, probe.started).into()
        };
        (tcp, step)
    }

    pub fn on(&mut self, event: Event, probe: &ProbeRequest, facts: &dyn Facts) -> Step {
        match (&self.stage, event) {
            (Stage::Destination, Event::Accepted(true)) => {
                self.ask_agent(probe, probe.started).into()
            }
            (Stage::Destination, Event::Accepted(false)) => {
                Step::End(probe.destination_refused(self.port))
            }
            (Stage::Agent, Event::Accepted(false)) => {
                probe.config.agent.note_unreached();
                self.connect(probe, probe.started).into()
            }
            (Stage::Agent, Event::CallResponse { has_head }) => {
                self.agent_answered(has_head, probe, facts)
            }
            (Stage::Connection, Event::ResponseHeaders { .. }) => Step::End(connected(facts)),
            (_, event) => event.unawaited(),
        }
    }

    /// Who has made the check, if it was made.
    pub fn made_by(&self) -> Option<TcpChecker> {
        match self.stage {
            Stage::Destination => None,
            Stage::Agent => Some(TcpChecker::Agent),
            Stage::Connection => Some(TcpChecker::Envoy),
        }
    }

    /// The outcome where the time is over.
    pub fn timed_out(&self) -> Outcome {
        match self.stage {
            Stage::Agent => of_agent("the agent did not answer in time", ""),
            _ => not_connected_in_time(),
        }
    }

    fn ask_agent(&mut self, probe: &ProbeRequest, now: Duration) -> Result<Command, Outcome> {
        let cluster = &probe.config.settings.agent_cluster;
        if cluster.is_empty() {
            return self.connect(probe, now);
        }
        let ms = probe.entry.timeout_ms;
        let mut headers = vec![
            (":method".to_owned(), "GET".to_owned()),
            (":path".to_owned(), tcp_check::path(&probe.pod.ip, self.port)),
            (":authority".to_owned(), "app-health-agent".to_owned()),
        ];
        if ms > 0 {
            let for_agent = ms.saturating_sub(AGENT_MARGIN_MS.min(ms / 2));
            headers.push((tcp_check::TIMEOUT_HEADER.to_owned(), for_agent.to_string()));
        }
        let timeout = probe.begin_call(now)?;
        self.stage = Stage::Agent;
        Ok(Command::HttpCall(HttpCall { cluster: cluster.clone(), headers, timeout }))
    }

    /// Lets Envoy's router make the connection, in the time that is left.
    fn connect(&mut self, probe: &ProbeRequest, now: Duration) -> Result<Command, Outcome> {
        if !probe.routable {
            let text = "no agent, and Envoy takes the request for a gRPC call or an upgrade";
            return Err(Outcome::not_made(Reason::Proxy, text));
        }
        let left = u32::try_from(probe.remaining(now)?.as_millis()).unwrap_or(u32::MAX);
        // No header of the client's may set the router's limits.
        let mut changes = Vec::with_capacity(2);
        for (name, _) in probe.client.iter() {
            if name.starts_with("x-envoy-") {
                changes.push((name.to_owned(), None));
            }
        }
        limit_router(&mut changes, left, left / DIAL_MS);
        self.stage = Stage::Connection;
        Ok(Command::Route(changes))
    }

    fn agent_answered(&mut self, has_head: bool, probe: &ProbeRequest, facts: &dyn Facts) -> Step {
        if !has_head {
            // Also where a push changes the agent's cluster.
            let now = facts.now();
            if probe.routable && !probe.is_over(now) {
                return self.connect(probe, now).into();
            }
            return Step::End(of_agent("the agent's answer broke off", ""));
        }
        let status = facts.header(Source::Dispatched, ":status").unwrap_or_default();
        let status = outcome::parse_status(&status);
        let is_agents = is_from_upstream(facts);
        if status == 503 && !is_agents {
            probe.config.agent.note_unreached();
            return self.connect(probe, facts.now()).into();
        }
        if is_agents {
            probe.config.agent.note_reached();
        }
        let text = response_text(facts);
        let text = text.trim_ascii_end();
        Step::End(match status {
            CONNECTED if is_agents => Outcome::Answered(200),
            FAILED if is_agents => self.failed_by_agent(text, probe, facts),
            _ if is_agents => of_agent("the agent refused", text),
            504 => self.timed_out(),
            _ => of_agent("the agent's answer", text),
        })
    }

    /// The outcome where the port has not accepted, as the agent says. Its text begins with the address.
    fn failed_by_agent(&self, text: &str, probe: &ProbeRequest, facts: &dyn Facts) -> Outcome {
        let word = facts.header(Source::Dispatched, reason::HEADER).unwrap_or_default();
        let reason = match &*word {
            b"refused" => return outcome::refused(),
            b"unreachable" => Reason::Unreachable,
            b"timeout" => Reason::Timeout,
            _ => Reason::Agent,
        };
        let address = [&probe.pod.at(self.port), ": "].concat();
        match text.strip_prefix(&*address).unwrap_or(text) {
            "" => Outcome::failed(reason, "no reason given"),
            why => Outcome::failed(reason, readable(why)),
        }
    }
}

fn not_connected_in_time() -> Outcome {
    Outcome::failed(Reason::Timeout, "no connection within the probe's timeout")
}

/// The outcome where the agent has not found out.
fn of_agent(what: &str, text: &str) -> Outcome {
    Outcome::failed(Reason::Agent, with_cause(what, text))
}

/// The outcome where Envoy has tried to connect. A connection that was reset counts as made: before the
/// handshake it would have been refused.
fn connected(facts: &dyn Facts) -> Outcome {
    let details = facts.details();
    if details == outcome::VIA_UPSTREAM {
        return Outcome::Answered(200);
    }
    let details = String::from_utf8_lossy(&details);
    if outcome::contains(&details, "Connection_reset_by_peer") {
        return Outcome::Answered(200);
    }
    match outcome::of_details(&details) {
        Outcome::Failed { reason: Reason::Timeout, .. } => not_connected_in_time(),
        outcome => outcome,
    }
}
