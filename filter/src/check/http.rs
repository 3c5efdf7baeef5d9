//! `httpGet`: the request that Envoy's router carries, and what its answer means.

use std::rc::Rc;
use std::time::Duration;

use super::hops::{self, Answered};
use super::probe::{LONGEST_DIAL, Probe, limit_router};
use super::redirect::{Hop, Next};
use super::step::{Command, Event, Facts, Source, Step};
use crate::outcome::{self, Outcome};
use crate::request::{self, Line};
use crate::table::{HttpAction, Wire};

/// The `connect_timeout` of the clusters that carry HTTP.
const DIAL: Duration = Duration::from_secs(30);
/// So much of a body decides; what comes after it does not matter to the kubelet.
const BODY_LIMIT: usize = 10 << 10;
/// So much of a redirect's body Go reads before it follows, unless a longer one is announced.
const REDIRECT_BODY_LIMIT: usize = 2 << 10;

/// An `httpGet` under way.
pub struct Http {
    action: Rc<HttpAction>,
    stage: Stage,
}

/// What is awaited.
enum Stage {
    /// Whether Envoy takes the destination.
    Name,
    /// The head of the answer that Envoy's router carries.
    Head,
    /// The rest of that answer's body.
    Body { status: u16, received: usize },
    /// The body of a redirect, which Go reads before it follows.
    Redirect { next: Box<Hop>, received: usize },
    /// The answer of a hop that is dispatched; `authorized`: with the client's Authorization.
    Hop { hop: Box<Hop>, authorized: bool },
}

impl Http {
    pub fn start(action: Rc<HttpAction>, probe: &Probe) -> (Self, Step) {
        let mut http = Self { action, stage: Stage::Name };
        let step = if probe.routable {
            let own_proto = request::own_forwarded_proto(&probe.client).is_some();
            let route = route(http.action.wire, own_proto);
            Step::Go(probe.name_route(route, http.action.port))
        } else {
            http.follow(http.first_hop(probe), true, probe, probe.started)
        };
        (http, step)
    }

    pub fn on(&mut self, event: Event, probe: &Probe, facts: &dyn Facts) -> Step {
        match (&mut self.stage, event) {
            (Stage::Name, Event::Taken(true)) => self.route(probe),
            (Stage::Name, Event::Taken(false)) => Step::End(probe.not_named(self.action.port)),
            (Stage::Head, Event::Head { ends }) => self.head(ends, probe, facts),
            (Stage::Body { status, received }, Event::Body { size, ends }) => {
                *received = received.saturating_add(size);
                let answered = Outcome::Answered(*status);
                match (ends, *received >= BODY_LIMIT) {
                    (true, _) => Step::Said(answered),
                    (false, true) => Step::End(answered),
                    (false, false) => Step::Go(Command::Wait),
                }
            }
            (Stage::Body { status, .. }, Event::Trailers) => Step::End(Outcome::Answered(*status)),
            (Stage::Redirect { next, received }, Event::Body { size, ends }) => {
                *received = received.saturating_add(size);
                if !ends && *received < REDIRECT_BODY_LIMIT {
                    return Step::Go(Command::Wait);
                }
                let next = (**next).clone();
                self.follow(next, true, probe, facts.now())
            }
            (Stage::Redirect { next, .. }, Event::Trailers) => {
                let next = (**next).clone();
                self.follow(next, true, probe, facts.now())
            }
            // What is left of a redirect's body, while its Location is asked.
            (Stage::Hop { .. }, Event::Body { .. } | Event::Trailers) => Step::Go(Command::Wait),
            (Stage::Hop { hop, .. }, Event::Taken(false)) => Step::End(hops::not_sent(hop)),
            (Stage::Hop { hop, authorized }, Event::Called { has_head }) => {
                let (hop, authorized) = ((**hop).clone(), *authorized);
                let next = match hops::answered(&hop, has_head, probe, facts) {
                    Answered::Again => hop,
                    Answered::Next(next) => next,
                    Answered::End(outcome) => return Step::End(outcome),
                };
                self.follow(next, authorized, probe, facts.now())
            }
            (_, event) => event.unawaited(),
        }
    }

    /// The client's request becomes the kubelet's own.
    fn route(&mut self, probe: &Probe) -> Step {
        let action = &*self.action;
        let authorization = request::basic_authorization(&action.url);
        let authority = probe.authority(action);
        let line = Line {
            target: &action.target,
            authority: &authority,
            wire: action.wire,
            authorization: authorization.as_deref(),
        };
        let mut changes = line.changes(&probe.client);
        let ms = probe.entry.timeout_ms;
        let limit = if ms == 0 { LONGEST_DIAL } else { probe.entry.timeout() };
        limit_router(&mut changes, ms, (limit.as_millis() / DIAL.as_millis()) as u32);
        self.stage = Stage::Head;
        Step::Go(Command::Route(changes))
    }

    /// An answer of the app, or of Envoy in its place.
    fn head(&mut self, ends: bool, probe: &Probe, facts: &dyn Facts) -> Step {
        let details = facts.details();
        if details != outcome::VIA_UPSTREAM {
            return self.unanswered(&String::from_utf8_lossy(&details), probe, facts);
        }
        let status = facts.header(Source::Routed, ":status").unwrap_or_default();
        let outcome = outcome::of_status(&status, probe.is_hook());
        if (300..400).contains(&outcome.status()) {
            let location = facts.header(Source::Routed, "location");
            match self.first_hop(probe).next(outcome.status(), location.as_deref()) {
                Next::Follow(next) if is_read_first(ends, facts) => {
                    self.stage = Stage::Redirect { next: Box::new(next), received: 0 };
                    return Step::Go(Command::Wait);
                }
                Next::Follow(next) => return self.follow(next, true, probe, facts.now()),
                Next::Fail(failure) => return Step::End(failure),
                Next::Answer => {}
            }
        }
        let Outcome::Answered(status) = outcome else { return Step::End(outcome) };
        if ends || (probe.is_hook() && announced_length(facts) > BODY_LIMIT as u64) {
            return Step::End(outcome);
        }
        self.stage = Stage::Body { status, received: 0 };
        Step::Go(Command::Hold(status))
    }

    /// The router has no answer of the app. A hook over HTTPS that meets plain HTTP is tried again
    /// over HTTP, as the kubelet does.
    fn unanswered(&mut self, details: &str, probe: &Probe, facts: &dyn Facts) -> Step {
        if !probe.is_hook() || !outcome::contains(details, "WRONG_VERSION_NUMBER") {
            return Step::End(outcome::of_details(details));
        }
        let mut hop = self.first_hop(probe);
        hop.url.scheme = "http".to_owned();
        self.follow(hop, false, probe, facts.now())
    }

    /// The first request, as a redirect of its answer sees it.
    fn first_hop(&self, probe: &Probe) -> Hop {
        let mut url = self.action.url.clone();
        url.scheme = if self.action.wire == Wire::Https { "https" } else { "http" }.to_owned();
        url.host = probe.pod.at(self.action.port).into_bytes();
        Hop { url, authority: probe.authority(&self.action), referer: None, followed: 0 }
    }

    /// Dispatches a hop.
    fn follow(&mut self, hop: Hop, authorized: bool, probe: &Probe, now: Duration) -> Step {
        let call = hops::call(&hop, authorized, self.action.wire, probe, now);
        self.stage = Stage::Hop { hop: Box::new(hop), authorized };
        call.map(Command::Call).into()
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

/// Whether Go reads something of a redirect's body before it follows.
fn is_read_first(ends: bool, facts: &dyn Facts) -> bool {
    !ends && announced_length(facts) <= REDIRECT_BODY_LIMIT as u64
}

/// 0 where none is announced.
fn announced_length(facts: &dyn Facts) -> u64 {
    let length = facts.header(Source::Routed, "content-length").unwrap_or_default();
    std::str::from_utf8(&length).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
