//! The contract of the status port as a small plain program: what the client of a scenario is told, and when.
//! It knows the answers beforehand, and so has no callbacks, no order of them and no state. It reads no header, no
//! query and no Host of the client's: none of them may change anything.

mod http;

use super::scenario::{Answer, Client, ENTRIES, End, Entry, Grpc, Http, Kind, Oddity, Says};
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

/// A dispatched call of a hook takes an hour at most.
const LONGEST_CALL: u64 = 3_600_000;

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

/// The status of a failure, where the client is told one.
fn status_of(failure: UpstreamFailure) -> u16 {
    match failure {
        Refused | Unreachable | Reset | ConnectReset | RemoteReset => 500,
        NoHttp | NoTls => 502,
        DialTimedOut | Silent => 504,
    }
}
