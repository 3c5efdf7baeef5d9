//! Plays a scenario: the part of Envoy, of the apps and of the clients, each thing at its time.

use std::time::Duration;

use super::exchange::{Exchange, Piece};
use super::head::{is_dispatched_to_the_pod, is_routed_to_the_pod};
use super::scenario::{Answer, Client, ENTRIES, Oddity, millis};
use crate::host::Host;
use crate::host::app::{App, UpstreamFailure, grpc_response};
use crate::host::callout::{CalloutRequest, CalloutResponse};
use crate::host::headers::Headers;
use crate::host::stream::{StreamEnd, StreamPhase};

/// A client that has asked, or will.
struct Playing<'a> {
    client: &'a Client,
    /// When it asks, in monotonic time.
    at: Duration,
    /// The id of its stream, once it has asked.
    id: Option<u32>,
    answers: std::slice::Iter<'a, Answer>,
    /// What the filter has asked for it, in order. A call goes on when its client has gone.
    exchanges: Vec<Exchange>,
    was_routed: bool,
}

/// What can happen next to a client, in the order in which it does at the same time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Leaves,
    Asks,
    TimeOut(usize),
    Answer(usize),
}

/// Plays until nothing more can happen, and returns how each client's stream ended. `chance` decides
/// among clients to whom something happens at the same time.
pub fn play(host: &mut Host, clients: &[Client], chance: &mut fastrand::Rng) -> Vec<StreamEnd> {
    let start = host.state().now;
    let playing = |client| Playing::new(client, start);
    let mut all: Vec<Playing> = clients.iter().map(playing).collect();
    while let Some((at, who, what)) = next(host, &all, chance) {
        let now = host.state().now;
        host.advance(at - now);
        all[who].happens(host, what);
    }
    let end = |it: &Playing| {
        let id = it.id.expect("each has asked");
        // One for whom nothing more can happen gives up.
        host.client_gone_unless_ended(id);
        host.stream(id).end().expect("it has ended").clone()
    };
    all.iter().map(end).collect()
}

fn next(
    host: &Host,
    all: &[Playing],
    chance: &mut fastrand::Rng,
) -> Option<(Duration, usize, What)> {
    let events = all.iter().enumerate().filter_map(|(who, it)| {
        let (at, what) = it.next(host)?;
        Some((at, who, what))
    });
    let events: Vec<_> = events.collect();
    let first = events.iter().map(|(at, ..)| *at).min()?;
    let first: Vec<_> = events.into_iter().filter(|(at, ..)| *at == first).collect();
    chance.choice(first)
}

impl<'a> Playing<'a> {
    fn new(client: &'a Client, start: Duration) -> Self {
        let (at, answers) = (start + millis(client.at), client.answers.iter());
        Self { client, at, id: None, answers, exchanges: Vec::new(), was_routed: false }
    }

    fn next(&self, host: &Host) -> Option<(Duration, What)> {
        let Some(id) = self.id else { return Some((self.at, What::Asks)) };
        let waits = host.stream(id).end().is_none();
        let patience = self.client.patience.filter(|_| waits);
        let leaves = patience.map(|patience| (self.at + millis(patience), What::Leaves));
        let of_exchange = |(n, exchange): (usize, &Exchange)| {
            let deadline = exchange.deadline.map(|at| (at, What::TimeOut(n)));
            let piece = exchange.pieces.front().map(|(at, _)| (*at, What::Answer(n)));
            deadline.into_iter().chain(piece).min()
        };
        leaves.into_iter().chain(self.exchanges.iter().enumerate().filter_map(of_exchange)).min()
    }

    fn happens(&mut self, host: &mut Host, what: What) {
        match what {
            What::Asks => self.asks(host),
            What::Leaves => host.client_gone(self.id.expect("it has asked")),
            What::TimeOut(n) => {
                let exchange = self.exchanges.remove(n);
                self.time_out(host, &exchange);
            }
            What::Answer(n) => {
                let (_, piece) = self.exchanges[n].pieces.pop_front().expect("the next piece");
                let token = self.exchanges[n].token;
                if self.exchanges[n].is_over() {
                    self.exchanges.remove(n);
                }
                self.arrives(host, token, piece);
            }
        }
        self.look(host);
    }

    fn asks(&mut self, host: &mut Host) {
        let Client { entry, oddity, head, .. } = self.client;
        let id = host.request(head.request(ENTRIES[*entry].path, *oddity));
        if *oddity == Oddity::Upgrade && host.stream(id).end().is_none() {
            host.request_body(id, b"", false);
        }
        self.id = Some(id);
    }

    /// Looks what the filter has made of it: what it asks now.
    fn look(&mut self, host: &mut Host) {
        let id = self.id.expect("it has asked");
        let now = host.state().now;
        match host.stream(id).phase {
            // Envoy resets what it still had with the app.
            StreamPhase::Ended(_) => self.exchanges.retain(|it| it.token.is_some()),
            StreamPhase::Routed if !self.was_routed => {
                self.was_routed = true;
                let request = host.routed_request(id, Duration::ZERO);
                is_routed_to_the_pod(&request);
                let answer = self.answers.next().cloned().unwrap_or_else(Answer::good);
                self.exchanges.push(Exchange::routed(&answer, now, request.timeout));
            }
            _ => {}
        }
        let known = |token| self.exchanges.iter().any(|it| it.token == Some(token));
        let callouts = host.state().callouts.values();
        let new: Vec<_> = callouts.filter(|it| it.stream == id && !known(it.token)).collect();
        assert!(new.len() <= 1, "asked at once: {new:#?}");
        for callout in new {
            is_dispatched_to_the_pod(callout);
            let answer = self.answers.next().cloned().unwrap_or_else(Answer::good);
            let grpc = matches!(callout.request, CalloutRequest::Grpc { .. });
            let (limit, token) = (callout.timeout, callout.token);
            let limit = (!limit.is_zero()).then_some(limit);
            self.exchanges.push(Exchange::dispatched(&answer, now, limit, token, grpc));
        }
    }

    /// A piece of an answer arrives.
    fn arrives(&self, host: &mut Host, token: Option<u32>, piece: Piece) {
        let id = self.id.expect("it has asked");
        match (piece, token) {
            (Piece::Call(response), Some(token)) => give(host, token, *response),
            (Piece::Head(headers, ends), _) => host.respond(id, headers, ends),
            (Piece::Body(size, ends), _) => host.respond_body(id, &vec![b'x'; size], ends),
            (Piece::Trailers, _) => host.respond_trailers(id, Headers::of([("x-trailer", "1")])),
            (Piece::Breaks, _) => host.break_off(
                id,
                "upstream_reset_after_response_started{connection_termination}",
                502,
            ),
            (Piece::Fails(failure), _) => {
                let (status, details, text) = failure.local_reply();
                host.envoy_replies(id, status, &details, &text);
            }
            (Piece::Call(_), None) => unreachable!("a call has a token"),
        }
    }

    fn time_out(&self, host: &mut Host, exchange: &Exchange) {
        let id = self.id.expect("it has asked");
        let silent = UpstreamFailure::Silent;
        match exchange.token {
            None if host.stream(id).phase == StreamPhase::Routed => {
                let (status, details, text) = silent.local_reply();
                host.envoy_replies(id, status, &details, &text);
            }
            None => host.break_off(id, "response_timeout", 504),
            Some(token) => {
                let callout = &host.state().callouts[&token];
                let response = if matches!(callout.request, CalloutRequest::Grpc { .. }) {
                    grpc_response(App::Fails(silent))
                } else if exchange.head.is_some_and(|at| at < host.state().now) {
                    CalloutResponse::default()
                } else {
                    silent.callout_response()
                };
                give(host, token, response);
            }
        }
    }
}

fn give(host: &mut Host, token: u32, response: CalloutResponse) {
    match host.state().callouts[&token].request {
        CalloutRequest::Http { .. } => host.answer_http_call(token, response),
        CalloutRequest::Grpc { .. } => host.answer_grpc_call(token, response),
    }
}
