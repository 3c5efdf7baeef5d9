//! The HTTP context of one request: turns Envoy's callbacks into events, and commands into hostcalls.

use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use app_health_webhook::{probers, reason};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType};

use crate::check::Check;
use crate::check::step::{Command, Event, Facts, GrpcCall, HttpCall, Source};
use crate::config::FilterConfig;
use crate::process::EnvoyProcess;
use crate::request::{HeaderChange, Headers};
use crate::{host, page, protobuf};

/// The filter state from which ORIGINAL_DST clusters take the destination.
const DESTINATION_STATE: &str = "envoy.network.transport_socket.original_dst_address";
/// The property by which the shipped configuration chooses a route; Envoy calls it `wasm.app_health`.
const ROUTE_PROPERTY: &str = "app_health";
/// The property that marks a hook: a body that breaks off is no failure of a hook.
const HOOK_PROPERTY: &str = "app_health_hook";
const CALL_BODY_LIMIT: usize = 10 << 10;

/// One request on the status port.
pub struct StatusPort {
    config: Rc<FilterConfig>,
    check: Check,
}

impl StatusPort {
    pub fn new(config: Rc<FilterConfig>) -> Self {
        Self { check: Check::new(config.clone()), config }
    }

    /// Answers a request for the status page.
    fn show_page(&self, client: &Headers) -> Action {
        let page::Reply { status, headers, body } = page::answer(client, || {
            let variable = || host::environment(probers::VARIABLE).unwrap_or_default();
            page::json(&self.config, variable, &Envoy, &EnvoyProcess)
        });
        let _ = hostcalls::send_http_response(status.into(), headers, Some(body.as_bytes()));
        Action::Pause
    }

    /// Gives the check an event, and carries out its commands until one leaves Envoy to go on.
    fn on(&mut self, mut event: Event) -> Action {
        loop {
            match carry_out(self.check.on(event, &Envoy)) {
                ControlFlow::Break(action) => return action,
                ControlFlow::Continue(accepted) => event = Event::Accepted(accepted),
            }
        }
    }

    /// Gives the check an event of a dispatched call, while Envoy holds the client's request.
    fn on_call_response(&mut self, event: Event) {
        if self.on(event) == Action::Continue {
            let _ = hostcalls::resume_http_request();
        }
    }
}

impl Context for StatusPort {
    fn on_http_call_response(&mut self, _: u32, num_headers: usize, _: usize, _: usize) {
        self.on_call_response(Event::CallResponse { has_head: num_headers > 0 });
    }

    fn on_grpc_call_response(&mut self, _: u32, code: u32, size: usize) {
        let message = match code {
            0 => buffer(BufferType::GrpcReceiveBuffer, size),
            _ => host::grpc_message(),
        };
        self.on_call_response(Event::GrpcCallResponse { code, message });
    }
}

impl HttpContext for StatusPort {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let headers = hostcalls::get_map_bytes(MapType::HttpRequestHeaders).unwrap_or_default();
        let headers = Headers::new(headers);
        if page::is_asked(&headers, || property(["xds", "route_name"])) {
            return self.show_page(&headers);
        }
        self.on(Event::RequestHeaders { headers, has_body: !end_of_stream })
    }

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.on(Event::RequestBody)
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        self.on(Event::ResponseHeaders { ends: end_of_stream })
    }

    /// Takes out the app's body, of which the client gets nothing.
    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        // An empty piece only marks the end of the body.
        if size > 0 && self.check.is_under_way() {
            let _ = hostcalls::set_buffer(BufferType::HttpResponseBody, 0, size, b"");
        }
        self.on(Event::ResponseBody { size, ends: end_of_stream })
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        self.on(Event::ResponseTrailers)
    }

    fn on_log(&mut self) {
        self.check.report(&Envoy, &EnvoyProcess);
    }
}

/// Continues with whether Envoy has accepted what the command asked for, if the check waits for that.
fn carry_out(command: Command) -> ControlFlow<Action, bool> {
    match command {
        Command::Continue => ControlFlow::Break(Action::Continue),
        Command::Pause => ControlFlow::Break(Action::Pause),
        Command::SetDestination { route, destination, is_hook } => {
            ControlFlow::Continue(set_destination(route, &destination, is_hook))
        }
        Command::Route(changes) => {
            changes.into_iter().for_each(change_header);
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
        Command::LocalReply { status, reason, text, allow } => {
            let mut headers = vec![];
            headers.extend(reason.map(|reason| (reason::HEADER, reason.as_str())));
            headers.extend(allow.then_some(("allow", "GET, HEAD")));
            let _ = hostcalls::send_http_response(status.into(), headers, Some(text.as_bytes()));
            ControlFlow::Break(Action::Pause)
        }
        Command::Close => {
            let _ = hostcalls::reset_http_response();
            ControlFlow::Break(Action::Pause)
        }
    }
}

fn set_destination(route: &str, destination: &str, is_hook: bool) -> bool {
    let state = protobuf::filter_state(DESTINATION_STATE, destination);
    let set = |path, value: &str| hostcalls::set_property(vec![path], Some(value.as_bytes()));
    hostcalls::call_foreign_function("set_envoy_filter_state", Some(&state)).is_ok()
        && set(ROUTE_PROPERTY, route).is_ok()
        && (!is_hook || set(HOOK_PROPERTY, "").is_ok())
}

fn change_header((name, value): HeaderChange) {
    let _ = hostcalls::set_map_value_bytes(MapType::HttpRequestHeaders, &name, value.as_deref());
}

fn dispatch(call: &HttpCall) -> bool {
    let headers = call.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    hostcalls::dispatch_http_call(&call.cluster, headers, None, vec![], limited(call.timeout))
        .is_ok()
}

fn dispatch_grpc(call: &GrpcCall) -> bool {
    let Some(service) = protobuf::service(&call.cluster, &call.destination) else { return false };
    let mut metadata = vec![("x-envoy-original-dst-host", call.destination.as_bytes())];
    metadata.extend(call.user_agent.iter().map(|agent| ("user-agent", &**agent)));
    let message = app_health_webhook::protobuf::health_request(&call.service);
    hostcalls::dispatch_grpc_call(
        &service,
        "grpc.health.v1.Health",
        "Check",
        metadata,
        Some(&message),
        limited(call.timeout),
    )
    .is_ok()
}

/// Limits a timeout to what Envoy can read, a signed number of milliseconds.
fn limited(timeout: Duration) -> Duration {
    timeout.min(Duration::from_millis(i32::MAX as u64))
}

/// What Envoy knows of the request whose callback runs.
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

/// A property of the request, or nothing where Envoy has none of this path.
fn property(path: [&str; 2]) -> Vec<u8> {
    hostcalls::get_property(path.to_vec()).ok().flatten().unwrap_or_default()
}

/// Up to `size` bytes of a buffer, or nothing where Envoy has no such buffer.
fn buffer(kind: BufferType, size: usize) -> Vec<u8> {
    hostcalls::get_buffer(kind, 0, size).ok().flatten().unwrap_or_default()
}
