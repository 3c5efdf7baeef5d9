//! The response's way through the filter, the responses to its callouts, and the end of a stream.

use super::abi::Status;
use super::callout::{CalloutRequest, CalloutResponse};
use super::headers::Headers;
use super::stream::{Deferred, DownstreamResponse, StreamEnd, StreamPhase};
use super::{CONTINUE, Host, ROOT};

/// `per_connection_buffer_limit_bytes` of the shipped configuration: what a paused body may hold.
const BUFFER_LIMIT: usize = 32_768;

impl Host {
    /// Passes on the headers of the app's response to a routed request.
    pub fn respond(&mut self, id: u32, headers: Headers, end: bool) {
        self.set_details(id, "via_upstream");
        self.response_headers(id, headers, end);
    }

    /// Sends a local reply of Envoy's to a routed request. It passes through the filter, unless the
    /// filter has seen the headers of a response already.
    pub fn envoy_replies(&mut self, id: u32, status: u16, details: &str, text: &str) {
        self.set_details(id, details);
        let headers = Headers::of([
            (":status", status.to_string()),
            ("content-length", text.len().to_string()),
            ("content-type", "text/plain".to_owned()),
        ]);
        let response = DownstreamResponse {
            headers,
            body: text.as_bytes().to_vec(),
            details: Some(details.to_owned()),
        };
        self.reply(id, response);
    }

    fn reply(&mut self, id: u32, response: DownstreamResponse) {
        let response = self.as_grpc(id, response);
        let stream = self.stream(id);
        if stream.sent.is_some() {
            return self.end(id, StreamEnd::Reset);
        }
        if stream.response_headers.is_some() {
            return self.end(id, StreamEnd::Response(response));
        }
        self.response_headers(id, response.headers, response.body.is_empty());
        if !response.body.is_empty() {
            self.respond_body(id, &response.body, true);
        }
    }

    fn response_headers(&mut self, id: u32, headers: Headers, end: bool) {
        let count = headers.pairs().len() as u32;
        self.set_code(id, &headers);
        let stream = self.stream_mut(id);
        stream.phase = StreamPhase::Response;
        stream.response_headers = Some(headers);
        let action: u32 =
            self.call_for(id, "proxy_on_response_headers", (id, count, u32::from(end)));
        self.settle(id);
        if action == CONTINUE && self.stream(id).end().is_none() {
            self.let_go(id, end);
        }
    }

    /// Passes on a piece of the body, behind the pieces that the filter has held.
    pub fn respond_body(&mut self, id: u32, piece: &[u8], end: bool) {
        if self.stream(id).end().is_some() {
            return;
        }
        let stream = self.stream_mut(id);
        let body = stream.buffered_body.get_or_insert_default();
        body.extend(piece);
        let size = body.len() as u32;
        let action: u32 = self.call_for(id, "proxy_on_response_body", (id, size, u32::from(end)));
        self.settle(id);
        if self.stream(id).end().is_some() {
            return;
        }
        if action == CONTINUE {
            return self.let_go(id, end);
        }
        if self.stream(id).buffered_body.as_ref().is_some_and(|body| body.len() > BUFFER_LIMIT) {
            self.envoy_replies(id, 500, "response_payload_too_large", "");
        }
    }

    /// Passes on the trailers, which end the response.
    pub fn respond_trailers(&mut self, id: u32, trailers: Headers) {
        if self.stream(id).end().is_some() {
            return;
        }
        let count = trailers.pairs().len() as u32;
        self.stream_mut(id).trailers = Some(trailers);
        let action: u32 = self.call_for(id, "proxy_on_response_trailers", (id, count));
        self.settle(id);
        if action == CONTINUE && self.stream(id).end().is_none() {
            self.let_go(id, true);
        }
    }

    /// Sends headers and body downstream, as the filter has changed them.
    fn let_go(&mut self, id: u32, end: bool) {
        let details = self.stream(id).details();
        let stream = self.stream_mut(id);
        if stream.sent.is_none() {
            let headers = stream.response_headers.take().unwrap_or_default();
            stream.sent = Some(DownstreamResponse { headers, body: Vec::new(), details });
        }
        let body = stream.buffered_body.take().unwrap_or_default();
        let sent = stream.sent.as_mut().expect("the headers are sent");
        sent.body.extend(body);
        if end {
            let response = sent.clone();
            self.end(id, StreamEnd::Response(response));
        }
    }

    /// Carries out what the filter asked for in a callback that has returned.
    pub(super) fn settle(&mut self, id: u32) {
        for deferred in std::mem::take(&mut self.stream_mut(id).deferred) {
            if self.stream(id).end().is_some() {
                continue;
            }
            match deferred {
                Deferred::LocalReply(response) => self.local_reply(id, response),
                Deferred::Close => {
                    if self.stream(id).details().is_none() {
                        self.set_details(id, "wasm_close_stream");
                    }
                    self.end(id, StreamEnd::Reset);
                }
                Deferred::Continue => self.pass_on(id),
            }
        }
    }

    /// Sends a local reply of the filter's. As in Envoy, it passes through the filter's own response
    /// callbacks, unless they have seen the headers of another response.
    fn local_reply(&mut self, id: u32, response: DownstreamResponse) {
        if self.stream(id).sent.is_some() {
            self.state_mut().violation("a local reply after the headers had left");
        }
        self.set_details(id, &response.details.clone().unwrap_or_default());
        self.reply(id, response);
    }

    /// Where Envoy takes the request for a gRPC call, it turns each local reply into a gRPC status.
    fn as_grpc(&self, id: u32, response: DownstreamResponse) -> DownstreamResponse {
        let content = self.stream(id).request.get("content-type").unwrap_or_default();
        if !content.starts_with("application/grpc") {
            return response;
        }
        let headers = Headers::of([
            (":status", "200".to_owned()),
            ("content-type", "application/grpc".to_owned()),
            ("grpc-status", "14".to_owned()),
            ("grpc-message", response.text()),
        ]);
        DownstreamResponse { headers, body: Vec::new(), ..response }
    }

    /// Gives the filter the response to a dispatched HTTP call; one without headers is a failure. As
    /// in Envoy, the callback is the root context's, and its token says which stream it is for.
    pub fn answer_http_call(&mut self, token: u32, response: CalloutResponse) {
        let stream =
            self.take_callout(token, |request| matches!(request, CalloutRequest::Http { .. }));
        let count = |headers: &Option<Headers>| {
            headers.as_ref().map_or(0, |headers| headers.pairs().len() as u32)
        };
        if response.headers.is_none() {
            self.state_mut().status = (Status::BrokenConnection as u32, b"reset".to_vec());
        }
        let (headers, trailers) = (count(&response.headers), count(&response.trailers));
        let params = (ROOT, token, headers, response.body.len() as u32, trailers);
        self.with_callout_response(stream, response, |host| {
            host.call_for::<_, ()>(ROOT, "proxy_on_http_call_response", params);
        });
    }

    /// Gives the filter the response to a dispatched gRPC call: a message, or a status other than 0.
    pub fn answer_grpc_call(&mut self, token: u32, response: CalloutResponse) {
        let stream =
            self.take_callout(token, |request| matches!(request, CalloutRequest::Grpc { .. }));
        let (status, size) = (response.grpc_status, response.body.len() as u32);
        if status != 0 {
            self.state_mut().status = (status, response.grpc_message.clone());
        }
        self.with_callout_response(stream, response, |host| match status {
            0 => host.call_for::<_, ()>(ROOT, "proxy_on_grpc_receive", (ROOT, token, size)),
            _ => host.call_for::<_, ()>(ROOT, "proxy_on_grpc_close", (ROOT, token, status)),
        });
    }

    /// Tells the filter that a gRPC call has ended which it was told could not be dispatched.
    pub fn close_unknown_grpc(&mut self, token: u32) {
        self.call_for::<_, ()>(ROOT, "proxy_on_grpc_close", (ROOT, token, 14_u32));
    }

    fn take_callout(&mut self, token: u32, is_kind: impl Fn(&CalloutRequest) -> bool) -> u32 {
        let callout = self.state_mut().callouts.remove(&token).expect("a callout that waits");
        assert!(is_kind(&callout.request), "another kind of callout: {callout:?}");
        callout.stream
    }

    fn with_callout_response(
        &mut self,
        id: u32,
        response: CalloutResponse,
        callback: impl FnOnce(&mut Host),
    ) {
        self.state_mut().callout_response = Some(response);
        callback(self);
        self.state_mut().callout_response = None;
        self.state_mut().status.1.clear();
        if self.state().streams.contains_key(&id) {
            self.settle(id);
        }
    }

    /// Ends a stream. Envoy calls `proxy_on_log` with its access log, before it deletes the context.
    pub(super) fn end(&mut self, id: u32, end: StreamEnd) {
        let headers = match &end {
            StreamEnd::Response(response) => response.headers.clone(),
            _ => Headers::default(),
        };
        match &end {
            StreamEnd::Response(_) => self.set_code(id, &headers),
            _ => drop(self.stream_mut(id).properties.remove("response.code")),
        }
        let stream = self.stream_mut(id);
        stream.phase = StreamPhase::Ended(end);
        stream.response_headers = None;
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
