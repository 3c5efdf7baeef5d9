//! Dispatched calls: HTTP and gRPC.

use std::net::SocketAddr;
use std::time::Duration;

use wasmtime::Linker;

use crate::host::abi::{HostcallResult, Status};
use crate::host::callout::{Callout, CalloutRequest, ClusterType, GrpcService};
use crate::host::guest::{Guest, Slice, link_functions};
use crate::host::headers::Headers;
use crate::host::state::HostState;

pub fn link_all(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    link_functions!(linker, "env":
        proxy_http_call(
            (cluster_at, cluster_length), (headers_at, headers_size), (body_at, body_length),
            (trailers_at, trailers_size), timeout, token_at
        ),
        proxy_grpc_call(
            (upstream_at, upstream_length), (service_at, service_length),
            (method_at, method_length), (metadata_at, metadata_size),
            (message_at, message_length), timeout, token_at
        ),
        proxy_get_status(code_at, message_at, length_at),
    );
    Ok(())
}

fn proxy_http_call(
    guest: &mut Guest,
    cluster: Slice,
    headers: Slice,
    body: Slice,
    trailers: Slice,
    timeout: u32,
    token_at: u32,
) -> HostcallResult {
    let cluster = guest.text(cluster)?;
    let headers = Headers::of(guest.pairs(headers)?);
    let body = guest.read(body)?;
    let trailers = guest.pairs(trailers)?;
    let state = guest.state();
    if !body.is_empty() || !trailers.is_empty() {
        state.violation("a dispatched GET with a body or trailers");
    }
    let cluster_type = *state.clusters.get(&cluster).ok_or(Status::BadArgument)?;
    if [":method", ":path", ":authority"].iter().any(|name| headers.get(name).is_none()) {
        return Err(Status::BadArgument);
    }
    check_destination(state, cluster_type, &headers)?;
    // Envoy reads a signed number.
    i32::try_from(timeout).map_err(|_| Status::BadArgument)?;
    dispatch(guest, cluster, timeout, CalloutRequest::Http { headers }, token_at)
}

#[expect(clippy::too_many_arguments, reason = "the ABI's")]
fn proxy_grpc_call(
    guest: &mut Guest,
    upstream: Slice,
    service: Slice,
    method: Slice,
    metadata: Slice,
    message: Slice,
    timeout: u32,
    token_at: u32,
) -> HostcallResult {
    let upstream = GrpcService::parse(&guest.read(upstream)?)?;
    let GrpcService { cluster, authority, max_receive_message_length } = upstream;
    let service = guest.text(service)?;
    let method = guest.text(method)?;
    let metadata = Headers::of(guest.pairs(metadata)?);
    let message = guest.read(message)?;
    let state = guest.state();
    let cluster_type = *state.clusters.get(&cluster).ok_or(Status::InternalFailure)?;
    check_destination(state, cluster_type, &metadata)?;
    // 97 bytes are added to 4 MiB, so that the number is UTF-8.
    if max_receive_message_length != b"\x08\xe1\x80\x80\x02" {
        state.violation("a gRPC call whose answer is not limited to 4 MiB");
    }
    let call = CalloutRequest::Grpc { authority, service, method, metadata, message };
    dispatch(guest, cluster, timeout, call, token_at)
}

/// A call to no destination fails when it is dispatched, and no callback follows.
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
