//! The calls that the filter dispatches.

use std::time::Duration;

use super::abi::{HostcallResult, Status, protobuf_fields};
use super::headers::Headers;

/// How a cluster finds its hosts, as far as a dispatch notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterType {
    /// By `x-envoy-original-dst-host`, an IP address and a port: without it the dispatch fails.
    OriginalDst,
    /// By its configuration.
    Static,
}

/// A call that waits for its answer.
#[derive(Clone, Debug)]
pub struct Callout {
    pub token: u32,
    /// The stream that dispatched it.
    pub stream: u32,
    pub cluster: String,
    pub timeout: Duration,
    pub request: CalloutRequest,
}

/// What is called.
#[derive(Clone, Debug)]
pub enum CalloutRequest {
    Http { headers: Headers },
    Grpc { authority: String, service: String, method: String, metadata: Headers, message: Vec<u8> },
}

impl Callout {
    /// An HTTP call's headers, a gRPC call's initial metadata.
    pub fn headers(&self) -> &Headers {
        match &self.request {
            CalloutRequest::Http { headers } => headers,
            CalloutRequest::Grpc { metadata, .. } => metadata,
        }
    }

    /// The value of `x-envoy-original-dst-host`.
    pub fn destination(&self) -> Option<String> {
        self.headers().get("x-envoy-original-dst-host")
    }
}

/// The answer to a callout, as the filter sees it while the callback runs.
#[derive(Clone, Debug, Default)]
pub struct CalloutResponse {
    /// `None`: the call failed without an answer (`num_headers` is 0).
    pub headers: Option<Headers>,
    pub body: Vec<u8>,
    pub trailers: Option<Headers>,
    /// Of a gRPC call.
    pub grpc_status: u32,
    pub grpc_message: Vec<u8>,
}

/// Where a gRPC call goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrpcService {
    pub cluster: String,
    pub authority: String,
    /// `max_receive_message_length`, as a serialized `UInt32Value`.
    pub max_receive_message_length: Vec<u8>,
}

/// Reads a serialized `GrpcService{envoy_grpc{…}}`, or a cluster's bare name.
pub fn grpc_service(upstream: &[u8]) -> HostcallResult<GrpcService> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| Status::ParseFailure);
    let mut read = GrpcService::default();
    if let Ok(service) = protobuf_fields(upstream) {
        let (_, envoy_grpc) = service.iter().find(|(n, _)| *n == 1).ok_or(Status::ParseFailure)?;
        for (number, content) in protobuf_fields(envoy_grpc)? {
            match number {
                1 => read.cluster = text(&content)?,
                2 => read.authority = text(&content)?,
                4 => read.max_receive_message_length = content,
                _ => {}
            }
        }
    } else {
        read.cluster = text(upstream)?;
    }
    if read.authority.is_empty() {
        read.authority = read.cluster.clone();
    }
    Ok(read)
}
