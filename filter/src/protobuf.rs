//! The protobuf messages of Envoy's hostcalls, written by hand.

use app_health_webhook::protobuf::push_bytes;

/// The longest name of a cluster, in bytes, with which every [`service`] is UTF-8.
pub const LONGEST_GRPC_CLUSTER: usize = 63;

/// `UInt32Value { value = 1 }` of 4 MiB, which is the limit of the kubelet's client too, and 97 bytes.
/// The varint of that sum is UTF-8, as all of [`service`] has to be.
const LONGEST_ANSWER: &[u8] = b"\x08\xe1\x80\x80\x02";

/// Envoy's `GrpcService { envoy_grpc = 1 { cluster_name = 1, authority = 2,
/// max_receive_message_length = 4 } }`, which Envoy takes in the place of a cluster's name. The crate
/// proxy-wasm sends only UTF-8 there: `None` for a message that is not, which has 128 bytes or more and
/// so a very long name of a cluster.
pub fn service(cluster: &str, authority: &str) -> Option<String> {
    let mut envoy_grpc = Vec::new();
    push_bytes(&mut envoy_grpc, 1, cluster.as_bytes());
    push_bytes(&mut envoy_grpc, 2, authority.as_bytes());
    push_bytes(&mut envoy_grpc, 4, LONGEST_ANSWER);
    let mut message = Vec::new();
    push_bytes(&mut message, 1, &envoy_grpc);
    String::from_utf8(message).ok()
}

/// The arguments of Envoy's foreign function `set_envoy_filter_state`: `{ path = 1, value = 2 }`.
pub fn filter_state(path: &str, value: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(path.len() + value.len() + 8);
    push_bytes(&mut message, 1, path.as_bytes());
    push_bytes(&mut message, 2, value.as_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_state() {
        assert_eq!(filter_state("a", "b"), b"\x0a\x01a\x12\x01b");
    }

    #[test]
    fn a_service_is_a_text() {
        let message = b"\x0a\x10\x0a\x02ab\x12\x03c:1\x22\x05\x08\xe1\x80\x80\x02";
        assert_eq!(service("ab", "c:1").unwrap().as_bytes(), message);
        let longest = "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535";
        let cluster = |size| "x".repeat(size);
        assert!(service(&cluster(LONGEST_GRPC_CLUSTER), longest).is_some());
        assert_eq!(service(&cluster(LONGEST_GRPC_CLUSTER + 1), longest), None);
    }
}
