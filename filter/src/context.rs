//! The context of one request: Envoy's callbacks become events, and commands calls to Envoy.

use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType};

use crate::check::{Check, Command, Event, Facts, GrpcCall, HttpCall, Source};
use crate::config::Shared;
use crate::request::{HeaderChange, Headers};
use crate::{host, protobuf};

/// The state that ORIGINAL_DST clusters take the destination from.
const DESTINATION_STATE: &str = "envoy.network.transport_socket.original_dst_address";
/// The property that the routes of the shipped configuration match, as `wasm.app_health`.
const ROUTE_PROPERTY: &str = "app_health";
/// Set for lifecycle hooks: a body that breaks off is no failure.
const HOOK_PROPERTY: &str = "app_health_hook";
/// So much of the answer of a dispatched call is read.
const CALL_BODY_LIMIT: usize = 10 << 10;

/// A request on the status port.
pub struct StatusPort(Check);

impl StatusPort {
    /// For a request that has not been seen yet.
    pub fn new(shared: Rc<Shared>) -> Self {
        Self(Check::new(shared))
    }

    /// Lets the check have an event, and does what it wants until it waits for the next one.
    fn on(&mut self, mut event: Event) -> Action {
        loop {
            match carry_out(self.0.on(event, &Envoy)) {
                ControlFlow::Break(action) => return action,
                ControlFlow::Continue(taken) => event = Event::Accepted(taken),
            }
        }
    }

    /// The same where Envoy waits with the request.
    fn called(&mut self, event: Event) {
        if self.on(event) == Action::Continue {
            let _ = hostcalls::resume_http_request();
        }
    }
}

impl Context for StatusPort {
    fn on_http_call_response(&mut self, _: u32, num_headers: usize, _: usize, _: usize) {
        self.called(Event::CallResponse { has_head: num_headers > 0 });
    }

    fn on_grpc_call_response(&mut self, _: u32, code: u32, size: usize) {
        let message = match code {
            0 => buffer(BufferType::GrpcReceiveBuffer, size),
            _ => host::grpc_message(),
        };
        self.called(Event::GrpcCallResponse { code, message });
    }
}

impl HttpContext for StatusPort {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let headers = hostcalls::get_map_bytes(MapType::HttpRequestHeaders).unwrap_or_default();
        self.on(Event::RequestHeaders { headers: Headers::new(headers), has_body: !end_of_stream })
    }

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.on(Event::RequestBody)
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        self.on(Event::ResponseHeaders { ends: end_of_stream })
    }

    /// Of the app's body nothing goes on.
    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        // An empty piece only says that this was the end.
        if size > 0 && self.0.is_under_way() {
            let _ = hostcalls::set_buffer(BufferType::HttpResponseBody, 0, size, b"");
        }
        self.on(Event::ResponseBody { size, ends: end_of_stream })
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        self.on(Event::ResponseTrailers)
    }

    fn on_log(&mut self) {
        self.0.log(&Envoy);
    }
}

/// Continues with whether Envoy has taken it, where the check waits for that.
fn carry_out(command: Command) -> ControlFlow<Action, bool> {
    match command {
        Command::Continue => ControlFlow::Break(Action::Continue),
        Command::Pause => ControlFlow::Break(Action::Pause),
        Command::SetDestination { route, destination, is_hook } => {
            ControlFlow::Continue(name(route, &destination, is_hook))
        }
        Command::Route(changes) => {
            changes.into_iter().for_each(change);
            ControlFlow::Break(Action::Continue)
        }
        Command::HttpCall(call) => ControlFlow::Continue(dispatch(&call)),
        Command::GrpcCall(call) => ControlFlow::Continue(dispatch_grpc(&call)),
        Command::HoldResponse(status) => {
            let status = u32::from(status).to_string();
            let head = vec![(":status", status.as_bytes()), ("content-length", b"0")];
            let _ = hostcalls::set_map_bytes(MapType::HttpResponseHeaders, head);
            ControlFlow::Break(Action::Pause)
        }
        Command::RestoreStatus(status) => {
            let status = u32::from(status).to_string();
            let value = Some(status.as_bytes());
            let _ = hostcalls::set_map_value_bytes(MapType::HttpResponseHeaders, ":status", value);
            ControlFlow::Break(Action::Continue)
        }
        Command::LocalReply { status, text, allow } => {
            let headers = if allow { vec![("allow", "GET, HEAD")] } else { vec![] };
            let _ = hostcalls::send_http_response(status.into(), headers, Some(text.as_bytes()));
            ControlFlow::Break(Action::Pause)
        }
        Command::Close => {
            let _ = hostcalls::reset_http_response();
            ControlFlow::Break(Action::Pause)
        }
    }
}

fn name(route: &str, destination: &str, is_hook: bool) -> bool {
    let state = protobuf::filter_state(DESTINATION_STATE, destination);
    let set = |path, value: &str| hostcalls::set_property(vec![path], Some(value.as_bytes()));
    hostcalls::call_foreign_function("set_envoy_filter_state", Some(&state)).is_ok()
        && set(ROUTE_PROPERTY, route).is_ok()
        && (!is_hook || set(HOOK_PROPERTY, "").is_ok())
}

fn change((name, value): HeaderChange) {
    let _ = hostcalls::set_map_value_bytes(MapType::HttpRequestHeaders, &name, value.as_deref());
}

fn dispatch(call: &HttpCall) -> bool {
    let headers = call.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    hostcalls::dispatch_http_call(&call.cluster, headers, None, vec![], timeout(call.timeout))
        .is_ok()
}

fn dispatch_grpc(call: &GrpcCall) -> bool {
    let Some(service) = protobuf::service(&call.cluster, &call.destination) else { return false };
    let mut metadata = vec![("x-envoy-original-dst-host", call.destination.as_bytes())];
    metadata.extend(call.user_agent.iter().map(|agent| ("user-agent", &**agent)));
    let message = protobuf::health_request(&call.service);
    hostcalls::dispatch_grpc_call(
        &service,
        "grpc.health.v1.Health",
        "Check",
        metadata,
        Some(&message),
        timeout(call.timeout),
    )
    .is_ok()
}

/// As much as fits: Envoy reads a signed number of milliseconds.
fn timeout(timeout: Duration) -> Duration {
    timeout.min(Duration::from_millis(i32::MAX as u64))
}

/// What Envoy knows of the request that a callback is for.
struct Envoy;

impl Facts for Envoy {
    fn now(&self) -> Duration {
        host::monotonic_time()
    }

    fn destination(&self) -> Vec<u8> {
        property(["destination", "address"])
    }

    fn header(&self, source: Source, name: &str) -> Option<Vec<u8>> {
        let map = match source {
            Source::Routed => MapType::HttpResponseHeaders,
            Source::Dispatched => MapType::HttpCallResponseHeaders,
        };
        hostcalls::get_map_value_bytes(map, name).ok().flatten()
    }

    fn call_body(&self) -> Vec<u8> {
        buffer(BufferType::HttpCallResponseBody, CALL_BODY_LIMIT)
    }

    fn details(&self) -> Vec<u8> {
        property(["response", "code_details"])
    }

    fn sent_status(&self) -> u16 {
        let code = property(["response", "code"]);
        let code = code.first_chunk::<8>().map_or(0, |bytes| i64::from_le_bytes(*bytes));
        u16::try_from(code).unwrap_or(0)
    }
}

/// Nothing where Envoy has none.
fn property(path: [&str; 2]) -> Vec<u8> {
    hostcalls::get_property(path.to_vec()).ok().flatten().unwrap_or_default()
}

/// Up to `size` bytes of a buffer; nothing where there is none.
fn buffer(kind: BufferType, size: usize) -> Vec<u8> {
    hostcalls::get_buffer(kind, 0, size).ok().flatten().unwrap_or_default()
}
