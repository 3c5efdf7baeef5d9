//! The response's way out through the filter, the answers to its callouts, the end of a stream.

use super::abi::Status;
use super::callout::{CallAnswer, Kind};
use super::headers::Headers;
use super::stream::{Answer, Deferred, Outcome, Phase};
use super::{CONTINUE, Host, ROOT};

/// `per_connection_buffer_limit_bytes` of the shipped configuration: what a paused body may hold.
const BUFFER_LIMIT: usize = 32_768;

impl Host {
    /// The head of the app's answer to a routed request.
    pub fn respond(&mut self, id: u32, headers: Headers, end: bool) {
        self.set_details(id, "via_upstream");
        self.response_headers(id, headers, end);
    }

    /// A reply of Envoy's own to a routed request: through the filter as long as the client has
    /// nothing yet, and past it once the filter has seen the head of an answer.
    pub fn envoy_replies(&mut self, id: u32, status: u16, details: &str, text: &str) {
        self.set_details(id, details);
        let headers = Headers::of([
            (":status", status.to_string()),
            ("content-length", text.len().to_string()),
            ("content-type", "text/plain".to_owned()),
        ]);
        let answer =
            Answer { headers, body: text.as_bytes().to_vec(), details: Some(details.to_owned()) };
        self.reply(id, answer);
    }

    fn reply(&mut self, id: u32, answer: Answer) {
        let answer = self.as_grpc(id, answer);
        let stream = self.stream(id);
        if stream.sent.is_some() {
            return self.end(id, Outcome::Closed);
        }
        if stream.response.is_some() {
            return self.end(id, Outcome::Answer(answer));
        }
        self.response_headers(id, answer.headers, answer.body.is_empty());
        if !answer.body.is_empty() {
            self.respond_body(id, &answer.body, true);
        }
    }

    fn response_headers(&mut self, id: u32, headers: Headers, end: bool) {
        let count = headers.pairs().len() as u32;
        self.set_code(id, &headers);
        let stream = self.stream_mut(id);
        stream.phase = Phase::Response;
        stream.response = Some(headers);
        let action: u32 =
            self.call_for(id, "proxy_on_response_headers", (id, count, u32::from(end)));
        self.settle(id);
        if action == CONTINUE && self.stream(id).outcome().is_none() {
            self.let_go(id, end);
        }
    }

    /// A piece of the body. What a paused filter has left of earlier ones stands before it.
    pub fn respond_body(&mut self, id: u32, piece: &[u8], end: bool) {
        if self.stream(id).outcome().is_some() {
            return;
        }
        let stream = self.stream_mut(id);
        let body = stream.body.get_or_insert_default();
        body.extend(piece);
        let size = body.len() as u32;
        let action: u32 = self.call_for(id, "proxy_on_response_body", (id, size, u32::from(end)));
        self.settle(id);
        if self.stream(id).outcome().is_some() {
            return;
        }
        if action == CONTINUE {
            return self.let_go(id, end);
        }
        if self.stream(id).body.as_ref().is_some_and(|body| body.len() > BUFFER_LIMIT) {
            self.envoy_replies(id, 500, "response_payload_too_large", "");
        }
    }

    /// The trailers, which end the answer.
    pub fn respond_trailers(&mut self, id: u32, trailers: Headers) {
        if self.stream(id).outcome().is_some() {
            return;
        }
        let count = trailers.pairs().len() as u32;
        self.stream_mut(id).trailers = Some(trailers);
        let action: u32 = self.call_for(id, "proxy_on_response_trailers", (id, count));
        self.settle(id);
        if action == CONTINUE && self.stream(id).outcome().is_none() {
            self.let_go(id, true);
        }
    }

    /// Head and body leave the filter, as it has made them.
    fn let_go(&mut self, id: u32, end: bool) {
        let details = self.stream(id).details();
        let stream = self.stream_mut(id);
        if stream.sent.is_none() {
            let headers = stream.response.take().unwrap_or_default();
            stream.sent = Some(Answer { headers, body: Vec::new(), details });
        }
        let body = stream.body.take().unwrap_or_default();
        let sent = stream.sent.as_mut().expect("the head is sent");
        sent.body.extend(body);
        if end {
            let answer = sent.clone();
            self.end(id, Outcome::Answer(answer));
        }
    }

    /// Does what the filter asked for while its callback ran.
    pub(super) fn settle(&mut self, id: u32) {
        for deferred in std::mem::take(&mut self.stream_mut(id).deferred) {
            if self.stream(id).outcome().is_some() {
                continue;
            }
            match deferred {
                Deferred::LocalReply(answer) => self.local_reply(id, answer),
                Deferred::Close => {
                    if self.stream(id).details().is_none() {
                        self.set_details(id, "wasm_close_stream");
                    }
                    self.end(id, Outcome::Closed);
                }
                Deferred::Continue => self.pass_on(id),
            }
        }
    }

    /// A reply of the filter's own passes through its response callbacks too, as in Envoy, unless
    /// it has seen the head of another answer.
    fn local_reply(&mut self, id: u32, answer: Answer) {
        if self.stream(id).sent.is_some() {
            self.state_mut().violation("a local reply after the head had left");
        }
        self.set_details(id, &answer.details.clone().unwrap_or_default());
        self.reply(id, answer);
    }

    /// What Envoy takes for a gRPC call gets each reply that is none of the app's as a gRPC status.
    fn as_grpc(&self, id: u32, answer: Answer) -> Answer {
        let content = self.stream(id).request.get("content-type").unwrap_or_default();
        if !content.starts_with("application/grpc") {
            return answer;
        }
        let headers = Headers::of([
            (":status", "200".to_owned()),
            ("content-type", "application/grpc".to_owned()),
            ("grpc-status", "14".to_owned()),
            ("grpc-message", answer.text()),
        ]);
        Answer { headers, body: Vec::new(), ..answer }
    }

    /// An answer to a dispatched HTTP call; without headers: it failed. As Envoy does, it calls the
    /// root context: the token says which request it is about.
    pub fn answer_call(&mut self, token: u32, answer: CallAnswer) {
        let stream = self.take_callout(token, |kind| matches!(kind, Kind::Http { .. }));
        let count = |headers: &Option<Headers>| {
            headers.as_ref().map_or(0, |headers| headers.pairs().len() as u32)
        };
        if answer.headers.is_none() {
            self.state_mut().status = (Status::BrokenConnection as u32, b"reset".to_vec());
        }
        let numbers = (count(&answer.headers), answer.body.len() as u32, count(&answer.trailers));
        self.with_call_answer(stream, answer, |host| {
            let params = (ROOT, token, numbers.0, numbers.1, numbers.2);
            host.call_for::<_, ()>(ROOT, "proxy_on_http_call_response", params);
        });
    }

    /// An answer to a dispatched gRPC call: a message, or a status other than 0.
    pub fn answer_grpc(&mut self, token: u32, answer: CallAnswer) {
        let stream = self.take_callout(token, |kind| matches!(kind, Kind::Grpc { .. }));
        let (status, size) = (answer.grpc_status, answer.body.len() as u32);
        if status != 0 {
            self.state_mut().status = (status, answer.grpc_message.clone());
        }
        self.with_call_answer(stream, answer, |host| match status {
            0 => host.call_for::<_, ()>(ROOT, "proxy_on_grpc_receive", (ROOT, token, size)),
            _ => host.call_for::<_, ()>(ROOT, "proxy_on_grpc_close", (ROOT, token, status)),
        });
    }

    /// The end of a gRPC call that failed when it was dispatched.
    pub fn close_unknown_grpc(&mut self, token: u32) {
        self.call_for::<_, ()>(ROOT, "proxy_on_grpc_close", (ROOT, token, 14_u32));
    }

    fn take_callout(&mut self, token: u32, is_kind: impl Fn(&Kind) -> bool) -> u32 {
        let callout = self.state_mut().callouts.remove(&token).expect("a callout that waits");
        assert!(is_kind(&callout.kind), "another kind of callout: {callout:?}");
        callout.stream
    }

    fn with_call_answer(&mut self, id: u32, answer: CallAnswer, callback: impl FnOnce(&mut Host)) {
        self.state_mut().call_answer = Some(answer);
        callback(self);
        self.state_mut().call_answer = None;
        self.state_mut().status.1.clear();
        if self.state().streams.contains_key(&id) {
            self.settle(id);
        }
    }

    /// Envoy writes its access log, of which the filter is a part, before it takes the filter down.
    pub(super) fn end(&mut self, id: u32, outcome: Outcome) {
        let headers = match &outcome {
            Outcome::Answer(answer) => answer.headers.clone(),
            _ => Headers::default(),
        };
        match &outcome {
            Outcome::Answer(_) => self.set_code(id, &headers),
            _ => drop(self.stream_mut(id).properties.remove("response.code")),
        }
        let stream = self.stream_mut(id);
        stream.phase = Phase::Ended(outcome);
        stream.response = None;
        stream.logged = Some(headers);
        self.call_if_exported(id, "proxy_on_log");
        self.stream_mut(id).logged = None;
        self.call_if_exported(id, "proxy_on_done");
        self.call_if_exported(id, "proxy_on_delete");
        self.stream_mut(id).deleted = true;
    }

    pub(super) fn set_details(&mut self, id: u32, details: &str) {
        let properties = &mut self.stream_mut(id).properties;
        properties.insert("response.code_details".to_owned(), details.as_bytes().to_vec());
    }

    fn set_code(&mut self, id: u32, headers: &Headers) {
        let code: i64 = headers.get(":status").and_then(|code| code.parse().ok()).unwrap_or(0);
        let properties = &mut self.stream_mut(id).properties;
        properties.insert("response.code".to_owned(), code.to_le_bytes().to_vec());
    }
}
