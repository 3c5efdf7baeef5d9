//! The protobuf messages of a gRPC health check and of Envoy's hostcalls, written and read by hand: a
//! library would be larger than the rest of the filter.

/// `grpc.health.v1.HealthCheckRequest { service = 1 }`
pub fn health_request(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        push_bytes(&mut message, 1, service.as_bytes());
    }
    message
}

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

/// The last `status = 1` of a `HealthCheckResponse`, or 0 where it has none. `None` where the bytes are
/// no message.
pub fn serving_status(mut message: &[u8]) -> Option<u64> {
    let mut status = 0;
    while !message.is_empty() {
        let (tag, rest) = varint(message)?;
        let (field, wire_type) = (tag >> 3, tag & 7);
        message = match wire_type {
            0 => {
                let (value, rest) = varint(rest)?;
                if field == 1 {
                    status = value;
                }
                rest
            }
            1 => rest.get(8..)?,
            2 => {
                let (size, rest) = varint(rest)?;
                rest.get(usize::try_from(size).ok()?..)?
            }
            5 => rest.get(4..)?,
            _ => return None,
        };
        if field == 0 {
            return None;
        }
    }
    Some(status)
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at as u32);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

fn push_bytes(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push(field << 3 | 2);
    let mut size = bytes.len();
    while size >= 0x80 {
        message.push(size as u8 | 0x80);
        size >>= 7;
    }
    message.push(size as u8);
    message.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        assert_eq!(health_request(""), b"");
        assert_eq!(health_request("abc"), b"\x0a\x03abc");
        assert_eq!(health_request(&"x".repeat(300))[..3], [0x0a, 0xac, 0x02]);
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
