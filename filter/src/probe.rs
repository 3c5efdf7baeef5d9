//! One request on the status port: the callbacks, in the order in which they come.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec;

use app_health_webhook::path::is_ours;
use log::debug;

use crate::callbacks::Action;
use crate::grpc::Undelivered;
use crate::host::{BufferType, MapType};
use crate::outcome::{self, DIAL_TIMED_OUT, Outcome, VIA_UPSTREAM, with_cause};
use crate::pairs::Pairs;
use crate::redirect::{Hop, Next};
use crate::request::Address;
use crate::root::Shared;
use crate::run::{BODY_LIMIT, GENUINE_HEADER, REDIRECT_BODY_LIMIT, Run, Stage, call_text, reply};
use crate::table::{Check, Lookup, Refusal};
use crate::{grpc, host, request};

/// How many runs of one hook each worker of Envoy has under way; those beyond it fail. The kubelet
/// runs a hook once: only others come in numbers, and a hook that stalls has no time-out.
const MOST_HOOKS: u32 = 16;

/// The HTTP context.
pub struct Probe {
    shared: Rc<Shared>,
    /// `None` for a request that is not ours, or that no check is made for.
    run: Option<Run>,
    /// Envoy takes the request for a gRPC call, and would make 200 of each status.
    is_grpc: bool,
    /// The status of what was answered without a check.
    declined: Option<u16>,
}

impl Probe {
    /// For a request that has not been seen yet.
    pub fn new(shared: Rc<Shared>) -> Self {
        Self { shared, run: None, is_grpc: false, declined: None }
    }

    /// Finds the entry and starts its check. What is not valid is an error, and is answered even
    /// where it is a hook.
    #[inline(never)]
    fn begin(&mut self, client: Pairs, path: &[u8], has_body: bool) -> Result<Action, Outcome> {
        let entry = match self.shared.table.lookup(path) {
            Lookup::Found(entry) => entry,
            Lookup::NotFound(outcome) => return Err(outcome),
        };
        if !matches!(client.get(b":method"), Some(b"GET" | b"HEAD")) {
            return Err(Outcome::declined(405, "a probe is a GET or HEAD"));
        }
        // Of a request for an upgrade Envoy says that it has one, which never ends.
        let is_upgrade =
            client.get(b"upgrade").is_some() && client.get(b"content-length").is_none();
        if has_body && (!is_upgrade || self.is_grpc) {
            return Err(Outcome::declined(400, "a probe has no body"));
        }
        let local = destination()?;
        let status_port = self.shared.settings.status_port.unwrap_or(local.port);
        let mut pod = local.clone();
        if let Some(pod_ip) = self.shared.pod_ip.as_ref().filter(|_| local.is_loopback()) {
            pod.ip.clone_from(pod_ip);
        }
        entry.under_way.set(entry.under_way.get().saturating_add(1));
        let run = self.run.insert(Run {
            entry: entry.clone(),
            routable: !has_body && !self.is_grpc,
            client,
            pod,
            status_port,
            stage: Stage::Start,
            call: 0,
            dialled_again: 0,
            outcome: None,
            is_gone: false,
            local,
        });
        let check = match &entry.check {
            Ok(check) => check,
            Err(Refusal::Unsendable(outcome)) => return Ok(run.conclude(outcome.clone())),
            Err(Refusal::Invalid(outcome)) => return Err(outcome.clone()),
        };
        if check.port() == run.status_port || check.port() == run.local.port {
            return Err(Outcome::unreached("its port is the status port: it would probe itself"));
        }
        if run.is_hook() && entry.under_way.get() > MOST_HOOKS {
            let reason = "16 runs of this hook are under way already";
            return Ok(run.conclude(Outcome::declined(500, reason)));
        }
        let settings = &self.shared.settings;
        let started = match check {
            Check::Http(http) => run.start_http(http, settings),
            Check::Tcp { port } => run.start_tcp(*port, &self.shared),
            Check::Grpc { port, tls, service } => run.start_grpc(*port, *tls, service, settings),
        };
        Ok(started.unwrap_or_else(|outcome| run.conclude(outcome)))
    }

    /// An answer of the app, or of Envoy in its place.
    #[inline(never)]
    fn routed(&mut self, run: &mut Run, end_of_stream: bool) -> Action {
        let details = host::property("response\0code_details").unwrap_or_default();
        if details != VIA_UPSTREAM {
            return self.unanswered(run, &String::from_utf8_lossy(&details));
        }
        let status = host::header(MapType::HttpResponseHeaders, ":status").unwrap_or_default();
        let outcome = outcome::of_status(&status, run.is_hook());
        if (300..400).contains(&outcome.status()) {
            let location = host::header(MapType::HttpResponseHeaders, "location");
            match run.first_hop().map(|hop| hop.next(outcome.status(), location.as_deref())) {
                Some(Next::Follow(next)) if is_read_first(end_of_stream) => {
                    run.stage = Stage::Redirect { next, received: 0 };
                    return Action::Pause;
                }
                Some(Next::Follow(next)) => return self.follow(run, next, true),
                Some(Next::Fail(failure)) => return run.conclude(failure),
                Some(Next::Answer) | None => {}
            }
        }
        let Outcome::Answered(status) = outcome else { return run.conclude(outcome) };
        if end_of_stream || (run.is_hook() && announced_length() > BODY_LIMIT as u64) {
            return run.reply(outcome);
        }
        let text = u32::from(status).to_string();
        let head: [(&[u8], &[u8]); 2] = [(b":status", text.as_bytes()), (b"content-length", b"0")];
        host::set_headers(MapType::HttpResponseHeaders, &head);
        run.stage = Stage::Body { status, received: 0 };
        Action::Pause
    }

    /// A piece of the body of the answer that Envoy's router carries: it is taken out and counted.
    fn body(&mut self, run: &mut Run, size: usize, end_of_stream: bool) -> Action {
        match core::mem::replace(&mut run.stage, Stage::Done) {
            Stage::Body { status, received } => {
                host::drop_response_body(size);
                let received = received.saturating_add(size);
                if end_of_stream {
                    run.outcome = Some(Outcome::Answered(status));
                    return Action::Continue;
                }
                if received >= BODY_LIMIT {
                    return run.reply(Outcome::Answered(status));
                }
                run.stage = Stage::Body { status, received };
                Action::Pause
            }
            Stage::Redirect { next, received } => {
                host::drop_response_body(size);
                let received = received.saturating_add(size);
                if end_of_stream || received >= REDIRECT_BODY_LIMIT {
                    return self.follow(run, next, true);
                }
                run.stage = Stage::Redirect { next, received };
                Action::Pause
            }
            // What is left of a redirect's body, while its Location is asked.
            hop @ Stage::Hop { .. } => {
                host::drop_response_body(size);
                run.stage = hop;
                Action::Pause
            }
            other => {
                run.stage = other;
                Action::Continue
            }
        }
    }

    /// The router has no answer of the app.
    #[inline(never)]
    fn unanswered(&mut self, run: &mut Run, details: &str) -> Action {
        // A hook over HTTPS that meets plain HTTP is tried again over HTTP, as the kubelet does.
        if run.is_hook()
            && outcome::contains(details, "WRONG_VERSION_NUMBER")
            && let Some(mut hop) = run.first_hop()
        {
            hop.url.scheme = "http".to_owned();
            return self.follow(run, hop, false);
        }
        run.conclude(outcome::of_details(details))
    }

    /// Dispatches a later hop. `authorized`: with the client's Authorization.
    fn follow(&self, run: &mut Run, hop: Hop, authorized: bool) -> Action {
        let sent = run.dispatch_hop(hop, authorized, &self.shared.settings);
        sent.unwrap_or_else(|outcome| run.conclude(outcome))
    }

    /// A hop has been answered.
    #[inline(never)]
    fn hop_answered(&self, run: &mut Run, hop: Hop, authorized: bool, num_headers: usize) {
        if num_headers == 0 {
            run.conclude(run.call_broken());
            return;
        }
        let status = host::header(MapType::HttpCallResponseHeaders, ":status").unwrap_or_default();
        if host::header(MapType::HttpCallResponseHeaders, GENUINE_HEADER).is_none() {
            let text = call_text();
            if outcome::contains(&text, DIAL_TIMED_OUT) && run.may_dial_again() {
                self.follow(run, hop, authorized);
            } else {
                run.conclude(outcome::of_call_failure(&status, &text));
            }
            return;
        }
        let outcome = outcome::of_status(&status, run.is_hook());
        let location = host::header(MapType::HttpCallResponseHeaders, "location");
        match hop.next(outcome.status(), location.as_deref()) {
            Next::Follow(next) => self.follow(run, next, authorized),
            Next::Fail(failure) => run.conclude(failure),
            Next::Answer => run.conclude(outcome),
        };
    }

    /// Whether it waits for the answer of this dispatched call.
    pub fn awaits(&self, token: u32) -> bool {
        self.run.as_ref().is_some_and(|run| run.call == token && run.is_called())
    }

    /// A dispatched request has been answered; without headers, where that broke off.
    pub fn on_http_call_response(&mut self, num_headers: usize) {
        let Some(mut run) = self.run.take() else { return };
        match core::mem::replace(&mut run.stage, Stage::Done) {
            Stage::Tcp { port } => {
                run.stage = Stage::Tcp { port };
                run.agent_answered(port, &self.shared);
            }
            Stage::Hop { hop, authorized } => {
                run.stage = Stage::Hop { hop: hop.clone(), authorized };
                self.hop_answered(&mut run, hop, authorized, num_headers);
            }
            other => run.stage = other,
        }
        self.run = Some(run);
    }

    /// A gRPC check has been answered: with a message of `size` bytes where `code` is 0.
    pub fn on_grpc_call_response(&mut self, code: u32, size: usize) {
        let Some(run) = self.run.as_mut().filter(|run| matches!(run.stage, Stage::Grpc)) else {
            return;
        };
        let (text, message) = match code {
            0 => (vec![], host::buffer(BufferType::GrpcReceiveBuffer, size).unwrap_or_default()),
            _ => (host::grpc_message(), vec![]),
        };
        let text = String::from_utf8_lossy(&text);
        let entry = run.entry.clone();
        let again = Undelivered::of(code, &text).is_some_and(|how| run.may_call_again(how));
        if let (true, Ok(Check::Grpc { port, tls, service })) = (again, &entry.check) {
            let sent = run.start_grpc(*port, *tls, service, &self.shared.settings);
            sent.unwrap_or_else(|outcome| run.conclude(outcome));
            return;
        }
        // An app that knows the deadline ends the call at it, too.
        let late = code != 0 && run.is_over();
        run.conclude(if late { Outcome::timeout() } else { grpc::outcome(code, &text, &message) });
    }

    /// The request has come; its body has not.
    pub fn on_request_headers(&mut self, end_of_stream: bool) -> Action {
        let Some(client) = host::headers(MapType::HttpRequestHeaders) else {
            return Action::Continue;
        };
        let target = client.get(b":path").unwrap_or_default();
        let path = target.split(|b| *b == b'?').next().unwrap_or_default().to_vec();
        if !is_ours(&path) {
            return Action::Continue;
        }
        self.is_grpc = request::is_grpc(&client);
        self.begin(client, &path, !end_of_stream).unwrap_or_else(|outcome| {
            if let Some(run) = &mut self.run {
                return run.reply(outcome);
            }
            debug!("{} {}", outcome.status(), outcome.reason());
            reply(&outcome);
            self.declined = Some(outcome.status());
            Action::Pause
        })
    }

    /// What follows the head of a request for an upgrade, even where it is nothing, would take it on
    /// to the routes.
    pub fn on_request_body(&self) -> Action {
        if self.run.is_some() { Action::Pause } else { Action::Continue }
    }

    /// The head of an answer: of the app, of Envoy, or of this filter.
    pub fn on_response_headers(&mut self, end_of_stream: bool) -> Action {
        if let Some(status) = self.pinned() {
            let text = u32::from(status).to_string();
            host::set_header(MapType::HttpResponseHeaders, b":status", text.as_bytes());
            return Action::Continue;
        }
        let Some(mut run) = self.run.take() else { return Action::Continue };
        let action = match run.stage {
            Stage::Routed => self.routed(&mut run, end_of_stream),
            Stage::Connecting { port } => run.connected(port),
            _ => Action::Continue,
        };
        self.run = Some(run);
        action
    }

    /// The status that Envoy would change.
    fn pinned(&self) -> Option<u16> {
        if !self.is_grpc {
            return None;
        }
        let of_run = || self.run.as_ref()?.outcome.as_ref().map(Outcome::status);
        self.declined.or_else(of_run)
    }

    /// `size` bytes of an answer's body.
    pub fn on_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let Some(mut run) = self.run.take() else { return Action::Continue };
        let action = self.body(&mut run, size, end_of_stream);
        self.run = Some(run);
        action
    }

    /// The end of an answer that has trailers.
    pub fn on_response_trailers(&mut self) -> Action {
        let Some(mut run) = self.run.take() else { return Action::Continue };
        let action = match run.stage {
            Stage::Body { status, .. } => run.reply(Outcome::Answered(status)),
            Stage::Redirect { .. } => self.body(&mut run, 0, true),
            Stage::Hop { .. } => Action::Pause,
            _ => Action::Continue,
        };
        self.run = Some(run);
        action
    }

    /// The request is over: logs what it came to. Whether the context is still needed: a hook's call
    /// has no end of its own, and counts until the app ends it.
    pub fn end(&mut self) -> bool {
        let Some(run) = &mut self.run else { return false };
        run.log();
        run.is_gone = true;
        run.is_hook() && run.is_called()
    }

    /// Whether only its call is left of it.
    pub fn is_gone(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.is_gone)
    }
}

/// The address that the client connected to, which says the IP family to probe.
fn destination() -> Result<Address, Outcome> {
    let address = host::property("destination\0address").unwrap_or_default();
    let address = String::from_utf8_lossy(&address);
    Address::parse(&address)
        .ok_or_else(|| Outcome::unreached(with_cause("not an address of this pod", &address)))
}

/// Whether Go reads something of a redirect's body before it follows.
fn is_read_first(end_of_stream: bool) -> bool {
    !end_of_stream && announced_length() <= REDIRECT_BODY_LIMIT as u64
}

/// 0 where none is announced.
fn announced_length() -> u64 {
    let length = host::header(MapType::HttpResponseHeaders, "content-length").unwrap_or_default();
    core::str::from_utf8(&length).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
