//! The contract of an `httpGet`: redirects, and what is read of a body.

use super::{Came, LONGEST_CALL, Model, Outcome, Verdict, status_of};
use crate::filter::scenario::{End, Http, Kind, Leads, Says};
use crate::host::app::UpstreamFailure::*;

/// The kubelet reads so much of a body.
const BODY_LIMIT: usize = 10_240;
/// Go reads so much of a redirect's body before it follows.
const REDIRECT_BODY_LIMIT: usize = 2048;
const MOST_REDIRECTS: u32 = 9;
/// A hook's dial is made anew for so long.
const LONGEST_DIAL: u64 = 127_000;

impl Model<'_> {
    pub(super) fn http(&mut self) -> Outcome {
        let mut at = 0;
        let mut https = self.entry.kind == Kind::Https;
        let mut redirects = 0;
        // Of the first answer, whose body may break off while a redirect is followed.
        let mut breaks = None;
        if self.is_routable() {
            match self.routed(&mut https) {
                First::Is(outcome) => return outcome,
                First::Again(time) => at = time,
                First::Leads(time, body) => {
                    (at, breaks, redirects) = (time, body, 1);
                }
            }
        }
        let found = self.dispatched(at, https, redirects);
        match breaks {
            Some((verdict, time)) if found.1.is_none_or(|found| time <= found) => {
                (verdict, Some(time))
            }
            _ => found,
        }
    }

    /// The first request, which Envoy's router carries.
    fn routed(&mut self, https: &mut bool) -> First {
        let answer = self.next();
        let whole = answer.whole_after();
        let http = match (&answer.says, answer.after) {
            (Says::Fails(Silent), _) => return First::Is(self.times_out()),
            (Says::Fails(failure), _) => {
                let at = whole.unwrap_or_default();
                if self.is_late(at) {
                    return First::Is(self.times_out());
                }
                if *failure == NoTls && self.entry.is_hook() {
                    *https = false;
                    return First::Again(at);
                }
                return First::Is(self.fails(status_of(*failure), at));
            }
            (Says::Http(_), after) if self.is_late(after) => return First::Is(self.times_out()),
            (Says::Http(http), _) => http,
        };
        let at = answer.after;
        let Some(status) = self.valid(http.status) else { return First::Is(self.fails(502, at)) };
        match self.leads(http, 0) {
            Lead::Final => {}
            Lead::Wrong => return First::Is(self.fails(502, at)),
            Lead::Unsendable if http.pieces.is_empty() && http.end == End::Whole => {
                return First::Is(self.fails(502, at));
            }
            Lead::Unsendable => {
                return First::Is(match self.body(http, at, REDIRECT_BODY_LIMIT) {
                    Body::Read(at) => self.fails(502, at),
                    other => self.unread(&other),
                });
            }
            Lead::On(to) => {
                *https = to.unwrap_or(*https);
                return match self.body(http, at, REDIRECT_BODY_LIMIT) {
                    Body::Read(at) => First::Leads(at, self.body_ends(http, answer.after, at)),
                    other => First::Is(self.unread(&other)),
                };
            }
        }
        First::Is(match self.body(http, at, BODY_LIMIT) {
            Body::Read(at) => (Verdict::Status(status), Some(at)),
            other => self.unread(&other),
        })
    }

    /// Where a body was not read that had to be.
    fn unread(&self, body: &Body) -> Outcome {
        match body {
            Body::Broke(at) => {
                (Verdict::Status(if self.entry.is_hook() { 200 } else { 502 }), Some(*at))
            }
            // Envoy's own 504 is an answer, for a hook, too.
            _ => (self.deadline().map_or(Verdict::Gone, |_| Verdict::Status(504)), self.deadline()),
        }
    }

    /// What becomes of the rest of a redirect's body: it may end the check before the Location has answered.
    fn body_ends(&self, http: &Http, head: u64, read: u64) -> Option<(Verdict, u64)> {
        let outcome = match self.body(http, head, usize::MAX) {
            Body::Read(_) => return None,
            Body::Broke(at) if at < read => return None,
            other => self.unread(&other),
        };
        Some((outcome.0, outcome.1?))
    }

    /// Reads a body until it has ended, or so much of it has come.
    fn body(&self, http: &Http, head: u64, limit: usize) -> Body {
        let (mut at, mut size) = (head, 0);
        if http.pieces.is_empty() && http.end == End::Whole {
            return Body::Read(at);
        }
        for (after, length) in &http.pieces {
            at += after;
            size += length;
            if self.is_late(at) {
                return Body::Late;
            }
            if size >= limit {
                return Body::Read(at);
            }
        }
        if http.end != End::Whole {
            at += http.end_after;
        }
        match http.end {
            End::Stalls => Body::Late,
            _ if self.is_late(at) => Body::Late,
            End::Broken => Body::Broke(at),
            _ => Body::Read(at),
        }
    }

    /// The later requests, and the first one where the router may not carry it.
    fn dispatched(&mut self, mut at: u64, mut https: bool, mut redirects: u32) -> Outcome {
        loop {
            if self.is_late(at) {
                return self.fails(504, at);
            }
            let (http, end) = match self.call(at) {
                Came::Head(http, end) => (http, end),
                Came::Nothing | Came::Failure(Silent, _) => return self.call_times_out(at, false),
                Came::Failure(DialTimedOut, end) => {
                    let limit = self.deadline().unwrap_or(LONGEST_DIAL);
                    if end >= limit {
                        return self.fails(504, end);
                    }
                    at = end;
                    continue;
                }
                Came::Failure(failure, end) => return self.fails(status_of(failure), end),
            };
            let broken = http.end == End::Broken;
            if end == u64::MAX {
                return self.call_times_out(at, true);
            }
            if broken {
                return match self.entry.is_hook() {
                    true => (Verdict::Status(200), Some(end)),
                    false => self.fails(if self.is_over(end) { 504 } else { 502 }, end),
                };
            }
            let Some(status) = self.valid(http.status) else { return self.fails(502, end) };
            match self.leads(&http, redirects) {
                Lead::Final => return (Verdict::Status(status), Some(end)),
                Lead::Wrong | Lead::Unsendable => return self.fails(502, end),
                Lead::On(to) => https = to.unwrap_or(https),
            }
            at = end;
            redirects += 1;
        }
    }

    /// A dispatched call's time is over; of an answer that has begun, a hook takes that.
    fn call_times_out(&self, began: u64, has_head: bool) -> Outcome {
        let end = self.deadline().unwrap_or(began + LONGEST_CALL);
        match self.entry.is_hook() && has_head {
            true => (Verdict::Status(200), Some(end)),
            false => self.fails(504, end),
        }
    }

    /// The status that an app's answer has; `None` where it is none.
    fn valid(&self, status: u16) -> Option<u16> {
        match status {
            200..=599 => Some(status),
            _ => self.entry.is_hook().then_some(200),
        }
    }

    /// Where an answer leads, after so many redirects.
    fn leads(&self, http: &Http, redirects: u32) -> Lead {
        let Some(location) = http.location else { return Lead::Final };
        if ![301, 302, 303, 307, 308].contains(&http.status) {
            return Lead::Final;
        }
        match location.leads {
            Leads::Elsewhere => Lead::Final,
            Leads::Unreadable => Lead::Wrong,
            _ if redirects >= MOST_REDIRECTS => Lead::Wrong,
            Leads::UnknownScheme => Lead::Wrong,
            Leads::NoPort => Lead::Unsendable,
            Leads::On(Some(true)) if self.entry.kind == Kind::Http2 => Lead::Unsendable,
            Leads::On(to) => Lead::On(to),
        }
    }
}

enum First {
    Is(Outcome),
    /// It is to be asked again from then on.
    Again(u64),
    /// It leads on from then on, unless the rest of its body ends all before.
    Leads(u64, Option<(Verdict, u64)>),
}

enum Body {
    Read(u64),
    Broke(u64),
    /// It does not come in time.
    Late,
}

enum Lead {
    /// Nowhere: the answer is the verdict.
    Final,
    /// Nowhere, which fails at once.
    Wrong,
    /// To where nothing may be sent, which fails once the redirect's body is read.
    Unsendable,
    On(Option<bool>),
}
