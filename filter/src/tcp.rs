//! TCP checks: the agent is asked first, and where it is not there, Envoy connects.

use alloc::string::ToString;
use alloc::vec::Vec;

use app_health_webhook::tcp_check::{self, Answer};
use log::{info, warn};

use crate::callbacks::Action;
use crate::host::{self, MapType, StreamType};
use crate::outcome::{self, Outcome, with_cause};
use crate::root::{Agent, Shared};
use crate::run::{GENUINE_HEADER, Run, Stage, call_text};

/// The agent gets so much less than the filter waits, so that its reason arrives.
const AGENT_MARGIN_MS: u32 = 50;

/// The `connect_timeout` of the cluster by which Envoy connects.
const TCP_DIAL_MS: u32 = 250;

const CONNECTED: u16 = Answer::Connected.status();
const FAILED: u16 = Answer::Failed.status();

impl Run {
    #[inline(never)]
    pub fn start_tcp(&mut self, port: u16, shared: &Shared) -> Result<Action, Outcome> {
        // Before the agent is asked: Envoy 1.36 takes no filter state in the callback of a call.
        if self.routable {
            self.name_route("tcp", port)?;
        }
        let cluster = &shared.settings.agent_cluster;
        if cluster.is_empty() {
            return self.connect(port);
        }
        let Some(call) = self.ask_agent(port, cluster) else {
            shared.agent.note_lost();
            return self.connect(port);
        };
        self.call = call;
        self.stage = Stage::Tcp { port };
        Ok(Action::Pause)
    }

    fn ask_agent(&self, port: u16, cluster: &str) -> Option<u32> {
        let path = tcp_check::path(&self.pod.ip, port);
        let ms = self.entry.timeout_ms;
        let for_agent = ms.saturating_sub(AGENT_MARGIN_MS.min(ms / 2)).to_string();
        let mut headers: Vec<(&[u8], &[u8])> = Vec::with_capacity(4);
        headers.push((b":method", b"GET"));
        headers.push((b":path", path.as_bytes()));
        headers.push((b":authority", b"app-health-agent"));
        if ms > 0 {
            headers.push((tcp_check::TIMEOUT_HEADER.as_bytes(), for_agent.as_bytes()));
        }
        host::dispatch_http(cluster, &headers, self.entry.timeout())
    }

    /// Lets Envoy's router make the connection, in the time that is left.
    fn connect(&mut self, port: u16) -> Result<Action, Outcome> {
        if !self.routable {
            let reason = "no agent, and Envoy takes the request for a gRPC call or an upgrade";
            return Err(Outcome::declined(500, reason));
        }
        let left = u32::try_from(self.remaining()?.as_millis()).unwrap_or(u32::MAX);
        // No header of the client tells the router how.
        let mut of_envoy = self.client.iter().filter(|(name, _)| name.starts_with(b"x-envoy-"));
        let remove = |(name, _)| host::remove_header(MapType::HttpRequestHeaders, name);
        let taken = of_envoy.all(remove);
        if !taken || !self.set_router_limits(left, left / TCP_DIAL_MS) {
            return Err(Outcome::unreached("Envoy does not take the check's time-out"));
        }
        self.stage = Stage::Connecting { port };
        Ok(Action::Continue)
    }

    #[inline(never)]
    pub fn agent_answered(&mut self, port: u16, shared: &Shared) {
        let status = host::header(MapType::HttpCallResponseHeaders, ":status").unwrap_or_default();
        let genuine = host::header(MapType::HttpCallResponseHeaders, GENUINE_HEADER).is_some();
        let status = outcome::parse_status(&status);
        if status == 503 && !genuine {
            shared.agent.note_lost();
            self.connect_instead(port);
            return;
        }
        if genuine {
            shared.agent.note_reached();
        }
        let text = call_text();
        let reason = text.trim_ascii_end();
        self.conclude(match status {
            CONNECTED if genuine => Outcome::Answered(200),
            FAILED if genuine => Outcome::unreached(with_cause("tcp", reason)),
            _ if genuine => Outcome::unreached(with_cause("the agent refused", reason)),
            504 => Outcome::unreached("the agent did not answer in time"),
            0 => Outcome::unreached("the agent's answer broke off"),
            _ => Outcome::unreached(with_cause("the agent's answer", reason)),
        });
    }

    fn connect_instead(&mut self, port: u16) {
        match self.connect(port) {
            Ok(_) => host::resume(StreamType::HttpRequest),
            Err(outcome @ Outcome::Declined { .. }) => {
                self.conclude(outcome);
            }
            // A TCP check has no other failure than 500.
            Err(outcome) => {
                self.conclude(Outcome::unreached(with_cause("tcp", outcome.reason())));
            }
        }
    }

    /// Envoy has connected, or says why not.
    #[inline(never)]
    pub fn connected(&mut self, port: u16) -> Action {
        let details = host::property("response\0code_details").unwrap_or_default();
        self.conclude(match outcome::why_not_connected(&details) {
            None => Outcome::Answered(200),
            // As the agent says it.
            Some(why) => Outcome::unreached(["tcp: ", &self.pod.at(port), ": ", &why].concat()),
        })
    }
}

impl Agent {
    fn note_lost(&self) {
        if self.0.get() == Some(true) {
            self.0.set(Some(false));
            warn!("the agent is not reached any more: Envoy makes the TCP checks");
        }
    }

    fn note_reached(&self) {
        if self.0.replace(Some(true)) == Some(false) {
            info!("the agent is reached again");
        }
    }
}
