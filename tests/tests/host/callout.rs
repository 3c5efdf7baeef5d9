//! The calls that the filter dispatches.

use std::time::Duration;

use super::abi::{HostcallResult, Status, protobuf_fields};
use super::headers::Headers;

/// How a cluster finds its hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterType {
    /// By the header `x-envoy-original-dst-host`, an IP address and a port. Without that, a dispatch fails.
    OriginalDst,
    /// By its configuration.
    Static,
}

/// A dispatched call that has not been answered.
#[derive(Clone, Debug)]
pub struct Callout {
    pub token: u32,
    /// The id of the stream that dispatched it.
    pub stream: u32,
    pub cluster: String,
    pub timeout: Duration,
    pub request: CalloutRequest,
}

#[derive(Clone, Debug)]
pub enum CalloutRequest {
    Http { headers: Headers },
    Grpc { authority: String, service: String, method: String, metadata: Headers, message: Vec<u8> },
}

impl Callout {
    /// The headers of an HTTP call, or the initial metadata of a gRPC call.
    pub fn headers(&self) -> &Headers {
        match &self.request {
            CalloutRequest::Http { headers } => headers,
            CalloutRequest::Grpc { metadata, .. } => metadata,
        }
    }

    pub fn destination(&self) -> Option<String> {
        self.headers().get("x-envoy-original-dst-host")
    }
}

/// The response to a callout, as the filter sees it while the callback runs.
#[derive(Clone, Debug, Default)]
pub struct CalloutResponse {
    /// `None` where the call failed without a response (`num_headers` is 0).
    pub headers: Option<Headers>,
    pub body: Vec<u8>,
    pub trailers: Option<Headers>,
    pub grpc_status: u32,
    pub grpc_message: Vec<u8>,
}

/// Envoy's message of this name, which says where a gRPC call goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrpcService {
    pub cluster: String,
    pub authority: String,
    /// A serialized `UInt32Value`.
    pub max_receive_message_length: Vec<u8>,
}

impl GrpcService {
    /// Reads a serialized `GrpcService{envoy_grpc{…}}`, or the bare name of a cluster.
    pub fn parse(upstream: &[u8]) -> HostcallResult<GrpcService> {
        let text =
            |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| Status::ParseFailure);
        let mut parsed = GrpcService::default();
        if let Ok(service) = protobuf_fields(upstream) {
            let envoy_grpc = service.iter().find(|(number, _)| *number == 1);
            for (number, content) in protobuf_fields(&envoy_grpc.ok_or(Status::ParseFailure)?.1)? {
                match number {
                    1 => parsed.cluster = text(&content)?,
                    2 => parsed.authority = text(&content)?,
                    4 => parsed.max_receive_message_length = content,
                    _ => {}
                }
            }
        } else {
            parsed.cluster = text(upstream)?;
        }
        if parsed.authority.is_empty() {
            parsed.authority = parsed.cluster.clone();
        }
        Ok(parsed)
    }
}
