//! One request on the status port: the callbacks, in the order in which they come.

use std::rc::Rc;
use std::time::Duration;

use app_health_webhook::path::is_ours;
use app_health_webhook::tcp_check;
use log::{debug, info, warn};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType, StreamType};

use crate::outcome::{self, Outcome, VIA_UPSTREAM};
use crate::pairs::Pairs;
use crate::redirect::{Hop, Next};
use crate::request::{self, Address, Line};
use crate::root::Shared;
use crate::table::{Check, Entry, Http, Lookup};
use crate::{grpc, host};

/// So much of a body decides; what comes after it does not matter to the kubelet.
const BODY_LIMIT: usize = 10 << 10;

/// The agent gets so much less than the filter waits, so that its reason arrives.
const AGENT_MARGIN_MS: u64 = 50;

/// The state that ORIGINAL_DST clusters take the destination from.
const DESTINATION_STATE: &str = "envoy.network.transport_socket.original_dst_address";
/// The property that the routes of the shipped configuration match, as `wasm.app_health`.
const ROUTE_PROPERTY: &str = "app_health";
/// Set for lifecycle hooks: a body that breaks off is no failure.
const HOOK_PROPERTY: &str = "app_health_hook";

const DESTINATION_HEADER: &str = "x-envoy-original-dst-host";
const ROUTER_TIMEOUT_HEADER: &[u8] = b"x-envoy-upstream-rq-timeout-ms";
/// Envoy adds it to what a dispatched call was answered by the upstream itself.
const GENUINE_HEADER: &str = "x-envoy-upstream-service-time";

/// The HTTP context.
pub struct Probe {
    shared: Rc<Shared>,
    /// `None` for a request that is not ours.
    run: Option<Run>,
}

/// A check under way.
struct Run {
    entry: Rc<Entry>,
    /// The client's request.
    client: Pairs,
    /// Where the connection came to.
    local: Address,
    /// The pod's address, which is asked.
    pod: Address,
    status_port: u16,
    /// Nanoseconds.
    started: u64,
    stage: Stage,
    outcome: Option<Outcome>,
}

/// What is awaited.
enum Stage {
    /// Nothing yet.
    Start,
    /// The head of the answer that Envoy's router carries.
    Routed,
    /// The rest of that answer's body.
    Body { status: u16, received: usize },
    /// The answer of a later hop, dispatched.
    Hop { hop: Hop, authorized: bool },
    /// The agent's answer.
    Tcp,
    /// The health service's answer.
    Grpc,
    /// Nothing more.
    Done,
}

impl Probe {
    /// For a request that has not been seen yet.
    pub fn new(shared: Rc<Shared>) -> Self {
        Self { shared, run: None }
    }

    /// Finds the entry and starts its check. What is not valid is an error, and is answered even
    /// where it is a hook.
    fn begin(&mut self, client: Pairs, path: &[u8], has_body: bool) -> Result<Action, Outcome> {
        let entry = match self.shared.table.lookup(path) {
            Lookup::Found(entry) => entry,
            Lookup::NotFound(outcome) => return Err(outcome),
        };
        if !matches!(client.get(":method"), Some(b"GET" | b"HEAD")) {
            return Err(Outcome { status: 405, reason: "a probe is a GET or HEAD".into() });
        }
        if has_body {
            return Err(Outcome { status: 400, reason: "a probe has no body".into() });
        }
        let local = destination()?;
        let status_port = self.shared.settings.status_port.unwrap_or(local.port);
        let mut pod = local.clone();
        if let Some(pod_ip) = self.shared.pod_ip.as_ref().filter(|_| local.is_loopback()) {
            pod.ip.clone_from(pod_ip);
        }
        let run = self.run.insert(Run {
            entry: entry.clone(),
            client,
            pod,
            status_port,
            started: host::now(),
            stage: Stage::Start,
            outcome: None,
            local,
        });
        let check = match &entry.check {
            Ok(check) => check,
            // The kubelet could not send it either.
            Err(outcome) if outcome.status == 502 => return Ok(run.conclude(outcome.clone())),
            Err(outcome) => return Err(outcome.clone()),
        };
        if check.port() == run.status_port || check.port() == run.local.port {
            return Err(Outcome::unreached("its port is the status port: it would probe itself"));
        }
        let started = match check {
            Check::Http(http) => run.start_http(http),
            Check::Tcp { port } => run.start_tcp(*port, &self.shared.settings.agent_cluster),
            Check::Grpc { port, service } => {
                run.start_grpc(*port, service, &self.shared.settings.grpc_cluster)
            }
        };
        Ok(started.unwrap_or_else(|outcome| run.conclude(outcome)))
    }

    /// An answer of the app, or of Envoy in its place.
    fn routed(&mut self, run: &mut Run, end_of_stream: bool) -> Action {
        let details = host::property("response\0code_details").unwrap_or_default();
        if details != VIA_UPSTREAM {
            return self.unanswered(run, &String::from_utf8_lossy(&details));
        }
        let status = host::header(MapType::HttpResponseHeaders, ":status").unwrap_or_default();
        let outcome = outcome::of_status(&status, run.is_hook());
        if (300..400).contains(&outcome.status) {
            let location = host::header(MapType::HttpResponseHeaders, "location");
            match run.first_hop().map(|hop| (hop.next(outcome.status, location.as_deref()), hop)) {
                Some((Next::Follow(next), hop)) => return self.follow(run, Some(&hop), next, true),
                Some((Next::Fail(failure), _)) => return run.conclude(failure),
                Some((Next::Answer, _)) | None => {}
            }
        }
        if !outcome.reason.is_empty() {
            return run.conclude(outcome);
        }
        if end_of_stream || (run.is_hook() && announced_length() > BODY_LIMIT as u64) {
            return run.reply(outcome);
        }
        let text = outcome.status.to_string();
        let head: [(&[u8], &[u8]); 2] = [(b":status", text.as_bytes()), (b"content-length", b"0")];
        host::set_headers(MapType::HttpResponseHeaders, &head);
        run.stage = Stage::Body { status: outcome.status, received: 0 };
        Action::Pause
    }

    /// The router has no answer of the app.
    fn unanswered(&mut self, run: &mut Run, details: &str) -> Action {
        // A hook over HTTPS that meets plain HTTP is tried again over HTTP, as the kubelet does.
        if run.is_hook()
            && outcome::contains(details, "WRONG_VERSION_NUMBER")
            && let Some(mut hop) = run.first_hop()
        {
            hop.url.scheme = "http".to_owned();
            return self.follow(run, None, hop, false);
        }
        run.conclude(outcome::of_details(details))
    }

    /// Dispatches a later hop. `authorized`: with the client's Authorization.
    fn follow(&self, run: &mut Run, from: Option<&Hop>, hop: Hop, authorized: bool) -> Action {
        let settings = &self.shared.settings;
        let cluster = if hop.is_https() { &settings.https_cluster } else { &settings.http_cluster };
        match run.dispatch_hop(cluster, from, &hop, authorized) {
            Ok(()) => {
                run.stage = Stage::Hop { hop, authorized };
                Action::Pause
            }
            Err(outcome) => run.conclude(outcome),
        }
    }

    /// A later hop has been answered.
    fn hop_answered(&self, run: &mut Run, hop: Hop, authorized: bool, num_headers: usize) {
        if num_headers == 0 {
            run.conclude(run.call_broken());
            return;
        }
        let status = host::header(MapType::HttpCallResponseHeaders, ":status").unwrap_or_default();
        if host::header(MapType::HttpCallResponseHeaders, GENUINE_HEADER).is_none() {
            run.conclude(outcome::of_call_failure(&status, &call_body()));
            return;
        }
        let outcome = outcome::of_status(&status, run.is_hook());
        let location = host::header(MapType::HttpCallResponseHeaders, "location");
        match hop.next(outcome.status, location.as_deref()) {
            Next::Follow(next) => self.follow(run, Some(&hop), next, authorized),
            Next::Fail(failure) => run.conclude(failure),
            Next::Answer => run.conclude(outcome),
        };
    }
}

impl Run {
    fn is_hook(&self) -> bool {
        self.entry.kind.is_hook()
    }

    fn start_http(&mut self, http: &Http) -> Result<Action, Outcome> {
        let destination = self.pod.at(http.port);
        let state = grpc::filter_state(DESTINATION_STATE, &destination);
        let own_proto = request::has_forwarded_proto(&self.client);
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
            return Err(Outcome::unreached(format!("Envoy does not take {destination}")));
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
        let mut headers = line.headers(&self.client);
        headers.push((ROUTER_TIMEOUT_HEADER, timeout.as_bytes()));
        if !host::set_headers(MapType::HttpRequestHeaders, &headers) {
            return Err(Outcome::unreached("Envoy does not take the probe's headers"));
        }
        self.stage = Stage::Routed;
        Ok(Action::Continue)
    }

    fn start_tcp(&mut self, port: u16, cluster: &str) -> Result<Action, Outcome> {
        let path = tcp_check::path(&self.pod.ip, port);
        let timeout = self.remaining()?;
        let millis = timeout.as_millis() as u64;
        let for_agent = millis.saturating_sub(AGENT_MARGIN_MS.min(millis / 2)).to_string();
        let mut headers =
            vec![(":method", "GET"), (":path", path.as_str()), (":authority", "app-health-agent")];
        if millis > 0 {
            headers.push((tcp_check::TIMEOUT_HEADER, &for_agent));
        }
        host::dispatch_http(cluster, headers, timeout)
            .ok_or_else(|| Outcome::unreached("the agent cannot be asked: no such cluster"))?;
        self.stage = Stage::Tcp;
        Ok(Action::Pause)
    }

    fn tcp_answered(&mut self, num_headers: usize) {
        let status = host::header(MapType::HttpCallResponseHeaders, ":status").unwrap_or_default();
        let genuine = host::header(MapType::HttpCallResponseHeaders, GENUINE_HEADER).is_some();
        let reason = outcome::readable(call_body().trim_end());
        self.conclude(match &status[..] {
            b"200" if genuine => Outcome::answered(200),
            b"500" if genuine => Outcome::unreached(format!("tcp: {reason}")),
            _ if genuine => Outcome::unreached(format!("the agent refused: {reason}")),
            b"504" => Outcome::unreached("the agent did not answer in time"),
            _ if num_headers == 0 => Outcome::unreached("the agent's answer broke off"),
            _ => Outcome::unreached(format!("the agent cannot be reached: {reason}")),
        });
    }

    fn start_grpc(&mut self, port: u16, service: &str, cluster: &str) -> Result<Action, Outcome> {
        let destination = self.pod.at(port);
        let mut metadata = vec![(DESTINATION_HEADER, destination.as_bytes())];
        if let Some(agent) = self.client.get("user-agent") {
            metadata.push(("user-agent", agent));
        }
        host::dispatch_grpc(
            &grpc::service(cluster, &destination),
            ("grpc.health.v1.Health", "Check"),
            metadata,
            &grpc::health_request(service),
            self.remaining()?,
        )
        .ok_or_else(|| Outcome::unreached("grpc: the check cannot be sent"))?;
        self.stage = Stage::Grpc;
        Ok(Action::Pause)
    }

    /// The request that the router carried, as a redirect of its answer sees it.
    fn first_hop(&self) -> Option<Hop> {
        let Ok(Check::Http(http)) = &self.entry.check else { return None };
        let mut url = http.url.clone();
        url.scheme = if http.https { "https" } else { "http" }.to_owned();
        url.host = self.pod.at(http.port).into_bytes();
        Some(Hop { url, authority: self.authority(http), followed: 0 })
    }

    fn authority(&self, http: &Http) -> Vec<u8> {
        let client = self.client.get(":authority").unwrap_or_default();
        let own: &[&Address] = if http.has_host { &[] } else { &[&self.local, &self.pod] };
        request::authority(client, own, self.status_port, http.port)
    }

    fn dispatch_hop(
        &self,
        cluster: &str,
        from: Option<&Hop>,
        hop: &Hop,
        authorized: bool,
    ) -> Result<(), Outcome> {
        let port = hop.port().filter(|port| *port != 0);
        let port = port.ok_or_else(|| Outcome::invalid("redirect: no such port"))?;
        if port == self.status_port || port == self.local.port {
            return Err(Outcome::unreached("redirect to the status port: it would probe itself"));
        }
        let target = ascii(&hop.url.request_target());
        let authority = ascii(&hop.authority);
        let destination = self.pod.at(port);
        let authorization = request::basic_authorization(&hop.url).filter(|_| authorized);
        let referer = from.and_then(|from| from.referer(hop)).map(|referer| ascii(&referer));
        let line = Line {
            target: target.as_bytes(),
            authority: authority.as_bytes(),
            https: hop.is_https(),
            authorization: authorization.as_deref(),
        };
        let headers = line.headers(&self.client);
        let own_referer = self.client.get("referer").is_some();
        let mut sent: Vec<(&str, &str)> = headers
            .iter()
            .filter_map(|(name, value)| {
                // Values that are not UTF-8 cannot be dispatched; no pod can hold one.
                Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?))
            })
            .filter(|(name, _)| authorized || *name != "authorization")
            .filter(|(name, _)| {
                *name != "x-forwarded-proto" || request::has_forwarded_proto(&self.client)
            })
            .collect();
        sent.push((DESTINATION_HEADER, &destination));
        if let Some(referer) = referer.as_ref().filter(|_| !own_referer) {
            sent.push(("referer", referer));
        }
        host::dispatch_http(cluster, sent, self.remaining()?)
            .map(|_| ())
            .ok_or_else(|| Outcome::unreached("redirect: the request cannot be sent"))
    }

    /// What is left of the timeout, at least 1 ms; zero where there is no limit.
    fn remaining(&self) -> Result<Duration, Outcome> {
        let limit = Duration::from_millis(self.entry.timeout_ms.into());
        if limit.is_zero() {
            return Ok(limit);
        }
        let elapsed = Duration::from_nanos(host::now().saturating_sub(self.started));
        let left = limit.saturating_sub(elapsed);
        if left < Duration::from_millis(1) { Err(Outcome::timeout()) } else { Ok(left) }
    }

    /// A dispatched answer that began and did not end: timed out, truncated or too long.
    fn call_broken(&self) -> Outcome {
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
    fn conclude(&mut self, outcome: Outcome) -> Action {
        if outcome.reason.is_empty() || !self.is_hook() {
            return self.reply(outcome);
        }
        let responding =
            matches!(self.stage, Stage::Routed | Stage::Body { .. } | Stage::Hop { .. });
        host::close(if responding { StreamType::HttpResponse } else { StreamType::HttpRequest });
        self.stage = Stage::Done;
        self.outcome = Some(outcome);
        Action::Pause
    }

    fn reply(&mut self, outcome: Outcome) -> Action {
        reply(&outcome);
        self.stage = Stage::Done;
        self.outcome = Some(outcome);
        Action::Pause
    }

    /// Logs what it came to, and whether that is a change.
    fn log(&self) {
        let outcome = self.outcome.clone().unwrap_or_else(outcome_of_envoy);
        let passes = if self.is_hook() { outcome.reason.is_empty() } else { outcome.passes() };
        let name = self.entry.name();
        let Outcome { status, reason } = outcome;
        let reason = if reason.is_empty() { "from the app" } else { &reason };
        debug!("{name}: {status} {reason}");
        if passes == self.entry.failing.replace(!passes) {
            if passes {
                info!("{name}: passing: {status} {reason}");
            } else {
                warn!("{name}: failing: {status} {reason}");
            }
        }
    }
}

impl Context for Probe {
    fn on_http_call_response(&mut self, _: u32, num_headers: usize, _: usize, _: usize) {
        let Some(mut run) = self.run.take() else { return };
        match std::mem::replace(&mut run.stage, Stage::Done) {
            Stage::Tcp => {
                run.stage = Stage::Tcp;
                run.tcp_answered(num_headers);
            }
            Stage::Hop { hop, authorized } => {
                run.stage = Stage::Hop { hop: hop.clone(), authorized };
                self.hop_answered(&mut run, hop, authorized, num_headers);
            }
            other => run.stage = other,
        }
        self.run = Some(run);
    }

    fn on_grpc_call_response(&mut self, _: u32, code: u32, size: usize) {
        let Some(run) = self.run.as_mut().filter(|run| matches!(run.stage, Stage::Grpc)) else {
            return;
        };
        let (text, message) = match code {
            0 => (vec![], host::buffer(BufferType::GrpcReceiveBuffer, size).unwrap_or_default()),
            _ => (host::grpc_message(), vec![]),
        };
        run.conclude(grpc::outcome(code, &String::from_utf8_lossy(&text), &message));
    }
}

impl HttpContext for Probe {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let Some(client) = host::headers(MapType::HttpRequestHeaders) else {
            return Action::Continue;
        };
        let target = client.get(":path").unwrap_or_default();
        let path = target.split(|b| *b == b'?').next().unwrap_or_default().to_vec();
        if !is_ours(&path) {
            return Action::Continue;
        }
        self.begin(client, &path, !end_of_stream).unwrap_or_else(|outcome| match &mut self.run {
            Some(run) => run.reply(outcome),
            None => {
                debug!("{} {}", outcome.status, outcome.reason);
                reply(&outcome);
                Action::Pause
            }
        })
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let Some(mut run) = self.run.take() else { return Action::Continue };
        let action = match run.stage {
            Stage::Routed => self.routed(&mut run, end_of_stream),
            _ => Action::Continue,
        };
        self.run = Some(run);
        action
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let Some(run) = &mut self.run else { return Action::Continue };
        match &mut run.stage {
            Stage::Body { status, received } => {
                host::drop_response_body(size);
                *received = received.saturating_add(size);
                let (status, done) = (*status, *received >= BODY_LIMIT);
                if end_of_stream {
                    run.stage = Stage::Done;
                    run.outcome = Some(Outcome::answered(status));
                    Action::Continue
                } else if done {
                    run.reply(Outcome::answered(status))
                } else {
                    Action::Pause
                }
            }
            // The body of a redirect, while its Location is asked.
            Stage::Hop { .. } => {
                host::drop_response_body(size);
                Action::Pause
            }
            _ => Action::Continue,
        }
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        let Some(run) = &mut self.run else { return Action::Continue };
        match run.stage {
            Stage::Body { status, .. } => run.reply(Outcome::answered(status)),
            Stage::Hop { .. } => Action::Pause,
            _ => Action::Continue,
        }
    }

    fn on_log(&mut self) {
        if let Some(run) = self.run.take() {
            run.log();
        }
    }
}

/// The address that the client connected to, which says the IP family to probe.
fn destination() -> Result<Address, Outcome> {
    let address = host::property("destination\0address").unwrap_or_default();
    let address = String::from_utf8_lossy(&address);
    Address::parse(&address)
        .ok_or_else(|| Outcome::unreached(format!("not an address of this pod: {address}")))
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

fn reply(outcome: &Outcome) {
    let allow: &[(&[u8], &[u8])] = &[(b"allow", b"GET, HEAD")];
    host::reply(outcome.status, if outcome.status == 405 { allow } else { &[] }, &outcome.reason);
}

fn call_body() -> String {
    let body = host::buffer(BufferType::HttpCallResponseBody, BODY_LIMIT).unwrap_or_default();
    String::from_utf8_lossy(&body).into_owned()
}

fn announced_length() -> u64 {
    let length = host::header(MapType::HttpResponseHeaders, "content-length").unwrap_or_default();
    std::str::from_utf8(&length).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A dispatched call takes UTF-8 only: what lies beyond ASCII is percent-encoded.
fn ascii(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii() {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
