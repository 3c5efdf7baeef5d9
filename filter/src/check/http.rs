//! The handler `httpGet`: the request that Envoy's router carries, and what its answer means.

use std::rc::Rc;
use std::time::Duration;

use super::hops::{self, HopAnswer};
use super::probe_request::{LONGEST_DIAL, ProbeRequest, limit_router};
use super::redirect::{Hop, Redirect};
use super::step::{Command, Event, Facts, Source, Step};
use crate::outcome::{self, Outcome};
use crate::request::{self, RequestHead};
use crate::table::{HttpAction, Wire};

/// The `connect_timeout` of the clusters that carry HTTP.
const DIAL: Duration = Duration::from_secs(30);
/// The kubelet reads so much of a body; what comes after that does not matter.
const BODY_LIMIT: usize = 10 << 10;
/// Go reads so much of a redirect's body before it follows, unless a longer one is announced.
const REDIRECT_BODY_LIMIT: usize = 2 << 10;

/// An `httpGet` under way.
pub struct HttpCheck {
    action: Rc<HttpAction>,
    stage: Stage,
}

/// What the check waits for.
enum Stage {
    /// Whether Envoy accepts the destination.
    Destination,
    /// The headers of the routed response.
    ResponseHeaders,
    /// The body of the routed response.
    ResponseBody { status: u16, received: usize },
    /// The body of a redirect, which Go reads before it follows.
    RedirectBody { next: Box<Hop>, received: usize },
    /// The response of a dispatched hop, which was sent the client's Authorization if `authorized`.
    HopResponse { hop: Box<Hop>, authorized: bool },
}

impl HttpCheck {
    pub fn start(action: Rc<HttpAction>, probe: &ProbeRequest) -> (Self, Step) {
        let mut http = Self { action, stage: Stage::Destination };
        let step = if probe.routable {
            let own_proto = request::own_forwarded_proto(&probe.client).is_some();
            let route = route(http.action.wire, own_proto);
            Step::Go(probe.set_destination(route, http.action.port))
        } else {
            http.follow(http.first_hop(probe), true, probe, probe.started)
        };
        (http, step)
    }

    pub fn on(&mut self, event: Event, probe: &ProbeRequest, facts: &dyn Facts) -> Step {
        match (&mut self.stage, event) {
            (Stage::Destination, Event::Accepted(true)) => self.route(probe),
            (Stage::Destination, Event::Accepted(false)) => {
                Step::End(probe.destination_refused(self.action.port))
            }
            (Stage::ResponseHeaders, Event::ResponseHeaders { ends }) => {
                self.response_headers(ends, probe, facts)
            }
            (Stage::ResponseBody { status, received }, Event::ResponseBody { size, ends }) => {
                *received = received.saturating_add(size);
                let answered = Outcome::Answered(*status);
                match (ends, *received >= BODY_LIMIT) {
                    (true, _) => Step::EndAsHeld(answered),
                    (false, true) => Step::End(answered),
                    (false, false) => Step::Go(Command::Pause),
                }
            }
            (Stage::ResponseBody { status, .. }, Event::ResponseTrailers) => {
                Step::End(Outcome::Answered(*status))
            }
            (Stage::RedirectBody { next, received }, Event::ResponseBody { size, ends }) => {
                *received = received.saturating_add(size);
                if !ends && *received < REDIRECT_BODY_LIMIT {
                    return Step::Go(Command::Pause);
                }
                let next = (**next).clone();
                self.follow(next, true, probe, facts.now())
            }
            (Stage::RedirectBody { next, .. }, Event::ResponseTrailers) => {
                let next = (**next).clone();
                self.follow(next, true, probe, facts.now())
            }
            // The rest of a redirect's body still arrives while its Location is asked.
            (Stage::HopResponse { .. }, Event::ResponseBody { .. } | Event::ResponseTrailers) => {
                Step::Go(Command::Pause)
            }
            (Stage::HopResponse { hop, .. }, Event::Accepted(false)) => {
                Step::End(hops::not_sent(hop))
            }
            (Stage::HopResponse { hop, authorized }, Event::CallResponse { has_head }) => {
                let (hop, authorized) = ((**hop).clone(), *authorized);
                let next = match hops::answered(&hop, has_head, probe, facts) {
                    HopAnswer::DialTimedOut => hop,
                    HopAnswer::Redirect(next) => next,
                    HopAnswer::Final(outcome) => return Step::End(outcome),
                };
                self.follow(next, authorized, probe, facts.now())
            }
            (_, event) => event.unawaited(),
        }
    }

    /// Turns the client's request into the kubelet's own, and routes it.
    fn route(&mut self, probe: &ProbeRequest) -> Step {
        let action = &*self.action;
        let authorization = request::basic_authorization(&action.url);
        let authority = probe.authority(action);
        let line = RequestHead {
            target: &action.target,
            authority: &authority,
            wire: action.wire,
            authorization: authorization.as_deref(),
        };
        let mut changes = line.changes(&probe.client);
        let ms = probe.entry.timeout_ms;
        let limit = if ms == 0 { LONGEST_DIAL } else { probe.entry.timeout() };
        limit_router(&mut changes, ms, (limit.as_millis() / DIAL.as_millis()) as u32);
        self.stage = Stage::ResponseHeaders;
        Step::Go(Command::Route(changes))
    }

    /// Judges the headers of the routed response, which is the app's or a local reply of Envoy's.
    fn response_headers(&mut self, ends: bool, probe: &ProbeRequest, facts: &dyn Facts) -> Step {
        let details = facts.details();
        if details != outcome::VIA_UPSTREAM {
            return self.unanswered(&String::from_utf8_lossy(&details), probe, facts);
        }
        let status = facts.header(Source::Routed, ":status").unwrap_or_default();
        let outcome = outcome::of_status(&status, probe.is_hook());
        let Outcome::Answered(status) = outcome else { return Step::End(outcome) };
        if (300..400).contains(&status) {
            let location = facts.header(Source::Routed, "location");
            match self.first_hop(probe).redirect(status, location.as_deref()) {
                Redirect::Follow(next) if is_read_first(ends, facts) => {
                    self.stage = Stage::RedirectBody { next: Box::new(next), received: 0 };
                    return Step::Go(Command::Pause);
                }
                Redirect::Follow(next) => return self.follow(next, true, probe, facts.now()),
                Redirect::Fail(failure) => return Step::End(failure),
                Redirect::NotFollowed => {}
            }
        }
        if ends || (probe.is_hook() && announced_length(facts) > BODY_LIMIT as u64) {
            return Step::End(outcome);
        }
        self.stage = Stage::ResponseBody { status, received: 0 };
        Step::Go(Command::HoldResponse(status))
    }

    /// Judges a local reply of Envoy's. A hook over HTTPS that meets plain HTTP is tried again over HTTP, as
    /// the kubelet does.
    fn unanswered(&mut self, details: &str, probe: &ProbeRequest, facts: &dyn Facts) -> Step {
        if !probe.is_hook() || !outcome::contains(details, "WRONG_VERSION_NUMBER") {
            return Step::End(outcome::of_details(details));
        }
        let mut hop = self.first_hop(probe);
        hop.url.scheme = "http".to_owned();
        self.follow(hop, false, probe, facts.now())
    }

    /// The first request as a hop, from which a redirect goes on.
    fn first_hop(&self, probe: &ProbeRequest) -> Hop {
        let mut url = self.action.url.clone();
        url.scheme = if self.action.wire == Wire::Https { "https" } else { "http" }.to_owned();
        url.host = probe.pod.at(self.action.port).into_bytes();
        Hop { url, authority: probe.authority(&self.action), referer: None, followed: 0 }
    }

    fn follow(&mut self, hop: Hop, authorized: bool, probe: &ProbeRequest, now: Duration) -> Step {
        let call = hops::call(&hop, authorized, self.action.wire, probe, now);
        self.stage = Stage::HopResponse { hop: Box::new(hop), authorized };
        call.map(Command::HttpCall).into()
    }
}

/// The route's name. `own_proto` says that the probe itself sends an x-forwarded-proto.
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

/// Whether Go reads part of a redirect's body before it follows.
fn is_read_first(ends: bool, facts: &dyn Facts) -> bool {
    !ends && announced_length(facts) <= REDIRECT_BODY_LIMIT as u64
}

/// The response's Content-Length, or 0 where it has none.
fn announced_length(facts: &dyn Facts) -> u64 {
    let length = facts.header(Source::Routed, "content-length").unwrap_or_default();
    std::str::from_utf8(&length).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
