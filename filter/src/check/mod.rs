//! A check is a pure state machine: it takes an event and returns a command. What else it has to know of
//! Envoy it is lent as [`Facts`]. It calls nothing but the facade `log`, and changes nothing but itself,
//! the counts of its entry, and whether the agent was reached. What a check came to goes to `report`.

mod call_response;
mod grpc;
mod hops;
mod http;
#[cfg(test)]
mod no_process;
mod probe_request;
mod redirect;
pub mod step;
mod tcp;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use app_health_webhook::handler::HandlerKind;
use app_health_webhook::path::is_ours;
use app_health_webhook::reason::Reason;

use step::{Command, Event, Facts, Step};

use crate::config::FilterConfig;
use crate::outcome::{self, Outcome};
use crate::process::Process;
use crate::report;
use crate::request::Headers;
use crate::table::{HandlerAction, Lookup, Refusal};
use grpc::GrpcCheck;
use http::HttpCheck;
use probe_request::ProbeRequest;
use tcp::TcpCheck;

pub use probe_request::Addresses;

/// The check that one request on the status port asks for.
pub struct Check {
    config: Rc<FilterConfig>,
    /// Whether Envoy takes the request for a gRPC call, and so turns each status into 200.
    is_grpc: bool,
    /// `None` where the request is not ours, or asks for no recorded probe.
    probe: Option<ProbeRequest>,
    /// `None` while the app is not asked: not yet, not at all, or no longer, as Envoy has answered.
    handler: Option<HandlerCheck>,
    outcome: Option<Outcome>,
}

/// The part of a check that depends on its handler.
enum HandlerCheck {
    Http(HttpCheck),
    Tcp(TcpCheck),
    Grpc(GrpcCheck),
}

impl Check {
    pub fn new(config: Rc<FilterConfig>) -> Self {
        Self { config, is_grpc: false, probe: None, handler: None, outcome: None }
    }

    /// Whether the app is being asked, so that a body which arrives is the app's, and must not go on.
    pub fn is_under_way(&self) -> bool {
        self.outcome.is_none() && self.handler.is_some()
    }

    pub fn on(&mut self, event: Event, facts: &dyn Facts) -> Command {
        match event {
            Event::RequestHeaders { headers, has_body } => self.begin(headers, has_body, facts),
            // A request for an upgrade has a body, perhaps an empty one. Where a check has begun,
            // that must not carry the request on to the routes.
            Event::RequestBody if self.probe.is_none() => Command::Continue,
            Event::ResponseHeaders { .. } if self.outcome.is_some() => self.restore_status(),
            event => self.go_on(event, facts),
        }
    }

    fn go_on(&mut self, event: Event, facts: &dyn Facts) -> Command {
        let Some(probe) = &self.probe else { return Command::Continue };
        if matches!(
            event,
            Event::CallResponse { .. } | Event::GrpcCallResponse { .. } | Event::Accepted(false)
        ) {
            probe.end_call();
        }
        let step = match self.handler.as_mut().filter(|_| self.outcome.is_none()) {
            None => event.unawaited(),
            Some(HandlerCheck::Http(http)) => http.on(event, probe, facts),
            Some(HandlerCheck::Tcp(tcp)) => tcp.on(event, probe, facts),
            Some(HandlerCheck::Grpc(grpc)) => grpc.on(event, probe, facts),
        };
        self.apply(step)
    }

    /// Begins a check. What is not valid is answered with its status, even for a hook.
    fn begin(&mut self, client: Headers, has_body: bool, facts: &dyn Facts) -> Command {
        let target = client.get(":path").unwrap_or_default();
        let path = target.split(|b| *b == b'?').next().unwrap_or_default().to_vec();
        if !is_ours(&path) {
            return Command::Continue;
        }
        self.is_grpc = client.is_grpc();
        match self.start(client, &path, has_body, facts) {
            Ok(step) => self.apply(step),
            Err(outcome) => self.local_reply(outcome),
        }
    }

    /// Finds the entry and starts its check.
    ///
    /// # Errors
    /// What to answer where no check is started: no valid entry has this path, the method or the body is not
    /// a probe's, or the app's port is the status port.
    fn start(
        &mut self,
        client: Headers,
        path: &[u8],
        has_body: bool,
        facts: &dyn Facts,
    ) -> Result<Step, Outcome> {
        let entry = match self.config.table.lookup(path) {
            Lookup::Found(entry) => entry,
            Lookup::NotFound(outcome) => return Err(outcome),
        };
        if !matches!(client.get(":method"), Some(b"GET" | b"HEAD")) {
            return Err(Outcome::declined(405, "a probe is a GET or HEAD"));
        }
        // To Envoy a request for an upgrade has a body, which never ends.
        let is_upgrade = client.get("upgrade").is_some() && client.get("content-length").is_none();
        if has_body && (!is_upgrade || self.is_grpc) {
            return Err(Outcome::declined(400, "a probe has no body"));
        }
        let routable = !has_body && !self.is_grpc;
        let probe = ProbeRequest::new(self.config.clone(), entry.clone(), client, routable, facts)?;
        let probe = self.probe.insert(probe);
        let action = match &entry.action {
            Ok(action) => action,
            Err(Refusal::Unsendable(outcome)) => return Ok(Step::End(outcome.clone())),
            Err(Refusal::Invalid(outcome)) => return Err(outcome.clone()),
        };
        if probe.is_own_port(action.port()) {
            let text = "its port is the status port: it would probe itself";
            return Err(Outcome::failed(Reason::Config, text));
        }
        if probe.is_hook() && entry.runs.are_too_many() {
            let text = "16 runs of this hook are under way already";
            return Ok(Step::End(Outcome::not_made(Reason::Proxy, text)));
        }
        let (handler, step) = match action {
            HandlerAction::Http(action) => {
                let (http, step) = HttpCheck::start(action.clone(), probe);
                (HandlerCheck::Http(http), step)
            }
            HandlerAction::Tcp { port } => {
                let (tcp, step) = TcpCheck::start(*port, probe);
                (HandlerCheck::Tcp(tcp), step)
            }
            HandlerAction::Grpc(action) => {
                let (grpc, step) = GrpcCheck::start(action.clone(), probe);
                (HandlerCheck::Grpc(grpc), step)
            }
        };
        self.handler = Some(handler);
        Ok(step)
    }

    fn apply(&mut self, step: Step) -> Command {
        match step {
            Step::Go(command) => command,
            Step::End(outcome) => self.end(outcome),
            Step::EndAsHeld(outcome) => {
                self.outcome = Some(outcome);
                Command::Continue
            }
            Step::LeftToEnvoy => {
                self.handler = None;
                Command::Continue
            }
        }
    }

    /// Ends the check. A hook that the app has not answered has its connection closed, and so fails as
    /// without the sidecar: the kubelet would take any status for a success.
    fn end(&mut self, outcome: Outcome) -> Command {
        let is_hook = self.probe.as_ref().is_some_and(ProbeRequest::is_hook);
        if matches!(outcome, Outcome::Answered(_)) {
            return self.local_reply(outcome);
        }
        let outcome = self.that_says_what_was_tried(outcome);
        if !is_hook {
            return self.local_reply(outcome);
        }
        self.outcome = Some(outcome);
        Command::Close
    }

    fn that_says_what_was_tried(&self, outcome: Outcome) -> Outcome {
        match self.probe.as_ref().and_then(ProbeRequest::tried) {
            Some(tried) => outcome.of_trying(&tried),
            None => outcome,
        }
    }

    fn local_reply(&mut self, outcome: Outcome) -> Command {
        let (status, reason, text) =
            (self.status(&outcome), outcome.reason(), outcome.text().to_owned());
        // An app's own 405 says nothing about the methods of a probe.
        let allow = matches!(outcome, Outcome::Declined { status: 405, .. });
        self.outcome = Some(outcome);
        Command::LocalReply { status, reason, text, allow }
    }

    /// The status that the client is told.
    fn status(&self, outcome: &Outcome) -> u16 {
        let handler = self.probe.as_ref().map_or(HandlerKind::HttpGet, ProbeRequest::handler);
        outcome.status(handler, self.config.settings.status_codes)
    }

    /// Sets the status of an answer again, which Envoy has changed if it takes the request for a gRPC call.
    fn restore_status(&self) -> Command {
        match &self.outcome {
            Some(outcome) if self.is_grpc => Command::RestoreStatus(self.status(outcome)),
            _ => Command::Continue,
        }
    }

    /// The outcome where the client has waited for all of its time.
    fn timed_out(&self) -> Outcome {
        match &self.handler {
            Some(HandlerCheck::Tcp(tcp)) => tcp.timed_out(),
            _ => Outcome::timeout(),
        }
    }

    /// Reports the outcome, once the request is over.
    pub fn report(&mut self, facts: &dyn Facts, process: &dyn Process) {
        let Some(probe) = &self.probe else {
            if let Some(outcome) = &self.outcome {
                report::unrecorded(outcome, self.status(outcome));
            }
            return;
        };
        if let Some(HandlerCheck::Tcp(tcp)) = &self.handler {
            let checks = &self.config.tcp_checks;
            tcp.made_by().inspect(|by| process.increment(checks.total(*by, process)));
        }
        let now = || facts.now();
        if let Some(outcome) = &self.outcome {
            let status = self.status(outcome);
            return report::recorded(&probe.entry, outcome, status, &now, process);
        }
        let sent = facts.sent_status();
        let (outcome, status) = match outcome::of_envoy(sent, &facts.details(), probe.is_hook()) {
            Outcome::Abandoned if sent == 0 && probe.is_nearly_over(facts.now()) => {
                let outcome = self.timed_out();
                let status = self.status(&outcome);
                (outcome, status)
            }
            outcome => (outcome, sent),
        };
        let outcome = self.that_says_what_was_tried(outcome);
        report::recorded(&probe.entry, &outcome, status, &now, process);
        self.outcome = Some(outcome);
    }
}
