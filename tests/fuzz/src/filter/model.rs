//! The contract of the status port as a small plain program: what the client of a scenario is told, and when.
//! It knows the answers beforehand, and so has no callbacks, no order of them and no state. It reads no header, no
//! query and no Host of the client's: none of them may change anything.

use super::scenario::{Answer, Client, ENTRIES, End, Entry, Grpc, Http, Kind, Leads, Oddity, Says};
use crate::host::app::UpstreamFailure::{self, *};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Status(u16),
    /// The connection is closed without an answer, so that the hook fails.
    Closed,
    /// The client has gone before.
    Gone,
}

/// A verdict, and how many milliseconds after the request it is there. `None` is never.
type Outcome = (Verdict, Option<u64>);

/// The answer's body, if it has none and the head says so.
const BODY_LIMIT: usize = 10_240;
/// Go reads so much of a redirect's body before it follows.
const REDIRECT_BODY_LIMIT: usize = 2048;
const MOST_REDIRECTS: u32 = 9;
/// A dispatched call of a hook takes an hour at most.
const LONGEST_CALL: u64 = 3_600_000;
/// A hook's dial is made anew for so long.
const LONGEST_DIAL: u64 = 127_000;

pub fn verdict(client: &Client) -> Verdict {
    let entry = &ENTRIES[client.entry];
    let (verdict, at) = Model { entry, client, answers: client.answers.iter() }.outcome();
    match (at, client.patience) {
        (None, _) => Verdict::Gone,
        // A client that leaves as the answer comes has gone.
        (Some(at), Some(patience)) if patience <= at => Verdict::Gone,
        _ => verdict,
    }
}

struct Model<'a> {
    entry: &'a Entry,
    client: &'a Client,
    answers: std::slice::Iter<'a, Answer>,
}

/// What a request to the app, routed or dispatched, has come to.
enum Came {
    /// The app's head, at that time.
    Head(Http, u64),
    Failure(UpstreamFailure, u64),
    /// Nothing in time.
    Nothing,
}

impl Model<'_> {
    fn outcome(mut self) -> Outcome {
        let now = |status| (Verdict::Status(status), Some(0));
        match (self.entry.kind, self.client.oddity) {
            (Kind::Refused(400), _) => now(400),
            (_, Oddity::Post) => now(405),
            (_, Oddity::Body) => now(400),
            (Kind::Refused(status), _) => now(status),
            (Kind::Tcp, _) => self.tcp(),
            (Kind::Grpc, _) => self.grpc(),
            (Kind::Http | Kind::Https | Kind::Http2, _) => self.http(),
        }
    }

    fn next(&mut self) -> Answer {
        self.answers.next().cloned().unwrap_or_else(Answer::good)
    }

    /// Whether Envoy's router may carry the request.
    fn is_routable(&self) -> bool {
        ![Oddity::GrpcContentType, Oddity::Upgrade].contains(&self.client.oddity)
    }

    /// When the check's time is over.
    fn deadline(&self) -> Option<u64> {
        (self.entry.timeout > 0).then_some(self.entry.timeout)
    }

    fn is_late(&self, at: u64) -> bool {
        self.deadline().is_some_and(|deadline| at >= deadline)
    }

    /// Whether the end of a dispatched call counts as the end of its time, which Envoy may give 5 ms early.
    fn is_over(&self, at: u64) -> bool {
        self.is_late(at + 5)
    }

    /// A failure that the kubelet is told by this status, and a hook by closing its connection.
    fn fails(&self, status: u16, at: u64) -> Outcome {
        let status = if self.entry.kind == Kind::Tcp { 500 } else { status };
        let verdict = if self.entry.is_hook() { Verdict::Closed } else { Verdict::Status(status) };
        (verdict, Some(at))
    }

    fn times_out(&self) -> Outcome {
        match self.deadline() {
            Some(deadline) => self.fails(504, deadline),
            None => (Verdict::Gone, None),
        }
    }

    fn http(&mut self) -> Outcome {
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

    /// A dispatched call that begins then. One whose answer begins and does not end in time ends never.
    fn call(&mut self, at: u64) -> Came {
        let answer = self.next();
        let limit = self.deadline().unwrap_or(if self.entry.is_hook() {
            at + LONGEST_CALL
        } else {
            u64::MAX
        });
        let end = answer.whole_after().map(|after| at + after).filter(|end| *end < limit);
        match (answer.says, end) {
            (Says::Fails(failure), Some(end)) => Came::Failure(failure, end),
            (Says::Fails(_), None) => Came::Nothing,
            (Says::Http(_), None) if at + answer.after >= limit => Came::Nothing,
            (Says::Http(http), end) => Came::Head(http, end.unwrap_or(u64::MAX)),
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

    fn tcp(&mut self) -> Outcome {
        let limit = self.deadline().unwrap_or(LONGEST_CALL);
        let at = match self.call(0) {
            Came::Head(http, end) if end != u64::MAX && http.end != End::Broken => {
                return match http.status {
                    200 => (Verdict::Status(200), Some(end)),
                    _ => self.fails(500, end),
                };
            }
            // Its answer breaks off, by itself or as the call's time is over.
            Came::Head(_, end) => {
                let end = if end == u64::MAX { limit } else { end };
                if self.is_over(end) {
                    return self.fails(500, end);
                }
                end
            }
            Came::Nothing => return self.fails(500, limit),
            Came::Failure(NoHttp, end) => return self.fails(500, end),
            Came::Failure(_, end) => end,
        };
        // The agent is not there, or does not say: Envoy connects.
        if !self.is_routable() {
            return self.fails(500, at);
        }
        let answer = self.next();
        let end = match answer.says {
            Says::Http(_) => Some(at + answer.after),
            Says::Fails(_) => answer.whole_after().map(|after| at + after),
        };
        match (answer.says, end) {
            (_, None) => self.times_out(),
            (_, Some(end)) if self.is_late(end) => self.times_out(),
            (Says::Http(_) | Says::Fails(ConnectReset), Some(end)) => {
                (Verdict::Status(200), Some(end))
            }
            (Says::Fails(_), Some(end)) => self.fails(500, end),
        }
    }

    fn grpc(&mut self) -> Outcome {
        let (mut at, mut closed, mut cut_off) = (0, 0, false);
        let deadline = self.entry.timeout;
        loop {
            let answer = self.next();
            let end = answer.grpc_after().map(|after| at + after).filter(|end| *end < deadline);
            let Some(end) = end else { return self.fails(504, deadline) };
            let late = self.is_over(end);
            let failure = |status| self.fails(if late { 504 } else { status }, end);
            match answer.says {
                Says::Http(Http { end: End::Broken, .. }) if !cut_off => {
                    (at, cut_off) = (end, true)
                }
                Says::Http(Http { end: End::Broken, .. }) => return failure(500),
                Says::Http(Http { grpc: Grpc::Message(message), .. }) if message == [8, 1] => {
                    return (Verdict::Status(200), Some(end));
                }
                Says::Http(Http { grpc: Grpc::Message(_), .. }) => return self.fails(500, end),
                Says::Http(Http { grpc: Grpc::Status(4), .. }) => return self.fails(504, end),
                Says::Http(Http { grpc: Grpc::Status(_), .. }) => return failure(500),
                Says::Fails(DialTimedOut) => at = end,
                // The kubelet's client would dial once more within 2 s, twice within 3 s.
                Says::Fails(Reset) if closed < dials_again(deadline) => {
                    (at, closed) = (end, closed + 1)
                }
                Says::Fails(_) => return failure(500),
            }
        }
    }
}

/// How often the kubelet's gRPC client dials again within this time.
fn dials_again(deadline: u64) -> u32 {
    match deadline {
        ..=1000 => 0,
        1001..=2000 => 1,
        _ => 2,
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

/// The status of a failure, where the client is told one.
fn status_of(failure: UpstreamFailure) -> u16 {
    match failure {
        Refused | Unreachable | Reset | ConnectReset | RemoteReset => 500,
        NoHttp | NoTls => 502,
        DialTimedOut | Silent => 504,
    }
}
