//! Dispatched calls: HTTP and gRPC.

use std::net::SocketAddr;
use std::time::Duration;

use wasmtime::Linker;

use crate::host::abi::{HostcallResult, Status};
use crate::host::callout::{Callout, CalloutRequest, ClusterType, GrpcService, grpc_service};
use crate::host::guest::{Guest, link_functions};
use crate::host::headers::Headers;
use crate::host::state::HostState;

pub fn link_all(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    link_functions!(linker, "env":
        proxy_http_call(
            cluster_at, cluster_length, headers_at, headers_size, body_at, body_length,
            trailers_at, trailers_size, timeout, token_at
        ),
        proxy_grpc_call(
            upstream_at, upstream_length, service_at, service_length, method_at, method_length,
            metadata_at, metadata_size, message_at, message_length, timeout, token_at
        ),
        proxy_get_status(code_at, message_at, length_at),
    );
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the ABI's")]
fn proxy_http_call(
    guest: &mut Guest,
    cluster_at: u32,
    cluster_length: u32,
    headers_at: u32,
    headers_size: u32,
    body_at: u32,
    body_length: u32,
    trailers_at: u32,
    trailers_size: u32,
    timeout: u32,
    token_at: u32,
) -> HostcallResult {
    let cluster = guest.text(cluster_at, cluster_length)?;
    let headers = Headers::of(guest.pairs(headers_at, headers_size)?);
    let trailers = guest.pairs(trailers_at, trailers_size)?;
    guest.read(body_at, body_length)?;
    let state = guest.state();
    if body_length > 0 || !trailers.is_empty() {
        state.violation("a dispatched GET with a body or trailers");
    }
    let kind = *state.clusters.get(&cluster).ok_or(Status::BadArgument)?;
    if [":method", ":path", ":authority"].iter().any(|name| headers.get(name).is_none()) {
        return Err(Status::BadArgument);
    }
    check_destination(state, kind, &headers)?;
    // Envoy reads a signed number.
    i32::try_from(timeout).map_err(|_| Status::BadArgument)?;
    dispatch(guest, cluster, timeout, CalloutRequest::Http { headers }, token_at)
}

#[expect(clippy::too_many_arguments, reason = "the ABI's")]
fn proxy_grpc_call(
    guest: &mut Guest,
    upstream_at: u32,
    upstream_length: u32,
    service_at: u32,
    service_length: u32,
    method_at: u32,
    method_length: u32,
    metadata_at: u32,
    metadata_size: u32,
    message_at: u32,
    message_length: u32,
    timeout: u32,
    token_at: u32,
) -> HostcallResult {
    let upstream = grpc_service(&guest.read(upstream_at, upstream_length)?)?;
    let GrpcService { cluster, authority, max_receive_message_length } = upstream;
    let service = guest.text(service_at, service_length)?;
    let method = guest.text(method_at, method_length)?;
    let metadata = Headers::of(guest.pairs(metadata_at, metadata_size)?);
    let message = guest.read(message_at, message_length)?;
    let state = guest.state();
    let kind = *state.clusters.get(&cluster).ok_or(Status::InternalFailure)?;
    check_destination(state, kind, &metadata)?;
    // 97 bytes more, so that the number is UTF-8.
    if max_receive_message_length != b"\x08\xe1\x80\x80\x02" {
        state.violation("a gRPC call whose answer is not limited to 4 MiB");
    }
    let call = CalloutRequest::Grpc { authority, service, method, metadata, message };
    dispatch(guest, cluster, timeout, call, token_at)
}

/// A destination that is none fails at once, and no callback follows.
fn check_destination(
    state: &mut HostState,
    cluster: ClusterType,
    headers: &Headers,
) -> HostcallResult {
    for line in headers.broken_lines() {
        state.violation(format!("a dispatched header that breaks the message: {line}"));
    }
    let destination = headers.get("x-envoy-original-dst-host").unwrap_or_default();
    let known = cluster == ClusterType::Static || destination.parse::<SocketAddr>().is_ok();
    if known && !state.dispatch_fails { Ok(()) } else { Err(Status::InternalFailure) }
}

fn dispatch(
    guest: &mut Guest,
    cluster: String,
    timeout: u32,
    request: CalloutRequest,
    token_at: u32,
) -> HostcallResult {
    let state = guest.state();
    let token = state.next_token();
    let timeout = Duration::from_millis(timeout.into());
    let callout = Callout { token, stream: state.current, cluster, timeout, request };
    state.callouts.insert(token, callout);
    guest.write_u32(token_at, token)
}

fn proxy_get_status(
    guest: &mut Guest,
    code_at: u32,
    message_at: u32,
    length_at: u32,
) -> HostcallResult {
    let (code, message) = guest.state().status.clone();
    guest.write_u32(code_at, code)?;
    guest.give(&message, message_at, length_at)
}
