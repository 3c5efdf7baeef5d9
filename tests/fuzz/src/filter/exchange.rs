//! An answer of the app's, as Envoy passes it on: piece by piece where it is routed, and as a whole where it was
//! dispatched.

use std::collections::VecDeque;
use std::time::Duration;

use super::scenario::{Answer, DIAL, End, Grpc, Http, Says, millis};
use crate::host::app::{App, UpstreamFailure, grpc_response};
use crate::host::callout::CalloutResponse;
use crate::host::headers::Headers;

/// A request of the filter's, and what is still to come of its answer.
pub struct Exchange {
    /// `None` where Envoy's router carries it.
    pub token: Option<u32>,
    pub deadline: Option<Duration>,
    /// Each with its time.
    pub pieces: VecDeque<(Duration, Piece)>,
    /// Whether the answer never ends, so that only the deadline does.
    pub stalls: bool,
    /// When the head of a dispatched call's answer is there, which nobody is told until the rest is.
    pub head: Option<Duration>,
}

pub enum Piece {
    Head(Headers, bool),
    Body(usize, bool),
    Trailers,
    Breaks,
    Fails(UpstreamFailure),
    Call(Box<CalloutResponse>),
}

impl Exchange {
    pub fn routed(answer: &Answer, now: Duration, limit: Option<Duration>) -> Self {
        let mut at = now + millis(answer.after);
        let mut pieces = VecDeque::new();
        match &answer.says {
            Says::Fails(UpstreamFailure::Silent) => {}
            Says::Fails(failure) => {
                let dial = *failure == UpstreamFailure::DialTimedOut;
                let least = if dial { DIAL } else { 0 };
                pieces.push_back((now + millis(answer.after.max(least)), Piece::Fails(*failure)));
            }
            Says::Http(http) => {
                let whole = http.end == End::Whole;
                let count = http.pieces.len();
                pieces.push_back((at, Piece::Head(head(http), whole && count == 0)));
                for (n, (after, size)) in http.pieces.iter().enumerate() {
                    at += millis(*after);
                    pieces.push_back((at, Piece::Body(*size, whole && n + 1 == count)));
                }
                at += millis(http.end_after);
                pieces.extend(match http.end {
                    End::Whole | End::Stalls => None,
                    End::EmptyPiece => Some((at, Piece::Body(0, true))),
                    End::Trailers => Some((at, Piece::Trailers)),
                    End::Broken => Some((at, Piece::Breaks)),
                });
            }
        }
        let stalls = answer.whole_after().is_none();
        Self { token: None, deadline: limit.map(|it| now + it), pieces, stalls, head: None }
    }

    pub fn dispatched(
        answer: &Answer,
        now: Duration,
        limit: Option<Duration>,
        token: u32,
        grpc: bool,
    ) -> Self {
        let response = if grpc { grpc_answer(answer) } else { call_response(answer) };
        let whole = if grpc { answer.grpc_after() } else { answer.whole_after() };
        let piece = whole.map(|after| (now + millis(after), Piece::Call(Box::new(response))));
        let head = matches!(answer.says, Says::Http(_)).then(|| now + millis(answer.after));
        let deadline = limit.map(|it| now + it);
        let pieces: VecDeque<_> = piece.into_iter().collect();
        Self { token: Some(token), deadline, stalls: pieces.is_empty(), pieces, head }
    }

    /// Whether nothing more can come of it.
    pub fn is_over(&self) -> bool {
        self.pieces.is_empty() && !self.stalls
    }
}

fn head(http: &Http) -> Headers {
    let mut headers = Headers::of([(":status", http.status.to_string())]);
    if let Some(location) = http.location {
        headers.add(b"location", location.text.as_bytes());
    }
    headers
}

fn call_response(answer: &Answer) -> CalloutResponse {
    match &answer.says {
        Says::Fails(failure) => failure.callout_response(),
        Says::Http(http) if http.end == End::Broken => CalloutResponse::default(),
        Says::Http(http) => {
            let mut headers = head(http);
            headers.add(b"x-envoy-upstream-service-time", b"1");
            let body = vec![b'x'; http.pieces.iter().map(|(_, size)| size).sum()];
            CalloutResponse { headers: Some(headers), body, ..CalloutResponse::default() }
        }
    }
}

fn grpc_answer(answer: &Answer) -> CalloutResponse {
    grpc_response(match &answer.says {
        Says::Fails(failure) => App::Fails(*failure),
        // Envoy does not say that an answer broke off.
        Says::Http(http) if http.end == End::Broken => App::grpc_status(13, ""),
        Says::Http(Http { grpc: Grpc::Message(message), .. }) => App::Message(message.clone()),
        Says::Http(Http { grpc: Grpc::Status(code), .. }) => App::grpc_status(*code, "text"),
    })
}
