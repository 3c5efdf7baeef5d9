//! Local responses, the end and the continuation of a stream, and its filter state.

use std::net::SocketAddr;

use wasmtime::Linker;

use crate::host::abi::{HostcallResult, Status, protobuf_fields};
use crate::host::guest::{Guest, Slice, link_functions};
use crate::host::headers::Headers;
use crate::host::state::HostState;
use crate::host::stream::{DESTINATION, Deferred, DownstreamResponse, StreamPhase};

pub fn link_all(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    link_functions!(linker, "env":
        proxy_send_local_response(
            status, (details_at, details_length), (body_at, body_length),
            (headers_at, headers_size), grpc_status
        ),
        proxy_close_stream(kind),
        proxy_continue_stream(kind),
        proxy_call_foreign_function(
            (name_at, name_length), (arguments_at, arguments_length), result_at, result_size_at
        ),
    );
    Ok(())
}

fn proxy_send_local_response(
    guest: &mut Guest,
    status: u32,
    details: Slice,
    body: Slice,
    headers: Slice,
    grpc_status: u32,
) -> HostcallResult {
    let details = guest.text(details)?;
    let body = guest.read(body)?;
    let pairs = guest.pairs(headers)?;
    let mut headers = Headers::of([(":status", status.to_string())]);
    pairs.iter().for_each(|(name, value)| headers.add(name, value));
    let state = guest.state();
    if !(200..=599).contains(&status) || grpc_status != u32::MAX {
        let grpc_status = grpc_status as i32;
        state.violation(format!("a local reply with status {status}, gRPC status {grpc_status}"));
    }
    for line in headers.broken_lines() {
        state.violation(format!("a local reply's header that breaks the message: {line}"));
    }
    let Some(stream) = state.stream() else { return ignored(state, "a local reply") };
    stream.local_replies += 1;
    let details = Some(details);
    stream.deferred.push(Deferred::LocalReply(DownstreamResponse { headers, body, details }));
    if stream.local_replies > 1 || matches!(stream.phase, StreamPhase::Ended(_)) {
        state.violation(format!("local reply {status} to a stream that has its answer"));
    }
    Ok(())
}

fn proxy_close_stream(guest: &mut Guest, kind: u32) -> HostcallResult {
    if kind > 1 {
        return Err(Status::BadArgument);
    }
    let state = guest.state();
    let Some(stream) = state.stream() else { return ignored(state, "a reset") };
    stream.deferred.push(Deferred::Close);
    Ok(())
}

/// A call for a stream that is gone: Envoy reports success, and does nothing.
fn ignored(state: &mut HostState, what: &str) -> HostcallResult {
    state.violation(format!("{what} of no stream"));
    Ok(())
}

/// Lets a request go on, which the filter must have paused.
fn proxy_continue_stream(guest: &mut Guest, kind: u32) -> HostcallResult {
    let state = guest.state();
    let Some(stream) = state.stream() else { return ignored(state, "a continuation") };
    let waits = kind == 0 && stream.phase == StreamPhase::Request;
    stream.request_in_sight = false;
    stream.deferred.push(Deferred::Continue);
    if !waits {
        state.violation(format!("stream {kind} goes on that does not wait"));
    }
    Ok(())
}

fn proxy_call_foreign_function(
    guest: &mut Guest,
    name: Slice,
    arguments: Slice,
    result_at: u32,
    result_size_at: u32,
) -> HostcallResult {
    let name = guest.text(name)?;
    let arguments = guest.read(arguments)?;
    if name != "set_envoy_filter_state" {
        guest.state().violation(format!("foreign function {name}"));
        return Err(Status::NotFound);
    }
    set_filter_state(guest.state(), &arguments)?;
    guest.give(&[], result_at, result_size_at)
}

/// Sets filter state by a message `{1: key, 2: value}`, whose value Envoy parses by the key.
fn set_filter_state(state: &mut HostState, message: &[u8]) -> HostcallResult {
    let fields = protobuf_fields(message).map_err(|_| Status::BadArgument)?;
    let field = |number| {
        let content =
            fields.iter().rfind(|(n, _)| *n == number).map(|(_, content)| content.clone());
        String::from_utf8(content.unwrap_or_default()).map_err(|_| Status::BadArgument)
    };
    let (key, value) = (field(1)?, field(2)?);
    if key != DESTINATION {
        return Err(Status::NotFound);
    }
    if value.parse::<SocketAddr>().is_err() {
        return Err(Status::BadArgument);
    }
    state.stream().ok_or(Status::NotFound)?.filter_state.insert(key, value);
    Ok(())
}
