//! The three protobuf messages of a gRPC health check, written and read by hand: a library would
//! weigh more than the rest of the filter.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use crate::outcome::{Outcome, of_details, with_cause};

/// `grpc.health.v1.HealthCheckRequest { service = 1 }`
pub fn health_request(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        push_bytes(&mut message, 1, service.as_bytes());
    }
    message
}

/// `UInt32Value { value = 1 }`: 4 MiB, more than which the kubelet's client does not take either.
const LONGEST_ANSWER: &[u8] = b"\x08\x80\x80\x80\x02";

/// Envoy's `GrpcService { envoy_grpc = 1 { cluster_name = 1, authority = 2,
/// max_receive_message_length = 4 } }`, which stands in the place of a cluster's name.
pub fn service(cluster: &str, authority: &str) -> Vec<u8> {
    let mut envoy_grpc = Vec::new();
    push_bytes(&mut envoy_grpc, 1, cluster.as_bytes());
    push_bytes(&mut envoy_grpc, 2, authority.as_bytes());
    push_bytes(&mut envoy_grpc, 4, LONGEST_ANSWER);
    let mut message = Vec::new();
    push_bytes(&mut message, 1, &envoy_grpc);
    message
}

/// `envoy.network.transport_socket.original_dst_address`, as the arguments of Envoy's foreign
/// function `set_envoy_filter_state`: `{ path = 1, value = 2 }`. Read on every probe.
pub fn filter_state(path: &str, value: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(path.len() + value.len() + 8);
    push_bytes(&mut message, 1, path.as_bytes());
    push_bytes(&mut message, 2, value.as_bytes());
    message
}

/// How often the kubelet's client dials again within this time where the app closes the connection:
/// after 1 s, and each time after 1.6 times as long as before (gRPC's connection backoff). The filter
/// does it at once, since it has no timer.
pub fn dials_again(limit: Duration) -> u8 {
    let (mut dials, mut pause, mut at) = (0, 1000, 1000);
    while at < limit.as_millis() && pause < 120_000 {
        dials += 1;
        pause = pause * 8 / 5;
        at += pause;
    }
    dials
}

/// What a gRPC status and the answer's message come to (as the kubelet's gRPC prober has it).
#[inline(never)]
pub fn outcome(code: u32, status_message: &str, message: &[u8]) -> Outcome {
    // Of an empty message Envoy makes the details themselves.
    let of_app = match status_message {
        VIA_UPSTREAM => Some(""),
        message => message.strip_suffix(OF_APP),
    };
    let detail = |what: &str| with_cause(what, of_app.unwrap_or(status_message));
    match code {
        0 => match serving_status(message) {
            Some(1) => Outcome::Answered(200),
            Some(2) => Outcome::unreached("grpc: NOT_SERVING"),
            Some(3) => Outcome::unreached("grpc: SERVICE_UNKNOWN"),
            Some(_) => Outcome::unreached("grpc: UNKNOWN"),
            None => Outcome::unreached("grpc: not a health check's answer"),
        },
        4 => Outcome::timeout(),
        5 => Outcome::unreached(detail("grpc: service unknown")),
        8 => {
            Outcome::unreached(detail("grpc: resource exhausted, or an answer of more than 4 MiB"))
        }
        12 => Outcome::unreached(detail("grpc: health service not implemented")),
        14 if of_app.is_none() => unavailable(status_message)
            .unwrap_or_else(|| Outcome::unreached(detail("grpc: unavailable"))),
        14 => Outcome::unreached(detail("grpc: unavailable")),
        code => Outcome::unreached(detail(&["grpc: status ", &code.to_string()].concat())),
    }
}

/// What Envoy appends to each status message: `response.code_details` in braces.
const OF_APP: &str = "{via_upstream}";
const VIA_UPSTREAM: &str = "via_upstream";
const DIAL_TIMED_OUT: &str = "{upstream_reset_before_response_started{connection_timeout}}";
const CLOSED: &str = "{upstream_reset_before_response_started{connection_termination}}";

/// How a call failed before it got to the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// The cluster's `connect_timeout` has ended the dial.
    DialTimedOut,
    /// The connection was closed.
    Closed,
}

impl Undelivered {
    /// `None` for all other failures. An app's own words never end so.
    pub fn of(code: u32, status_message: &str) -> Option<Self> {
        match code {
            14 if status_message.ends_with(DIAL_TIMED_OUT) => Some(Self::DialTimedOut),
            14 if status_message.ends_with(CLOSED) => Some(Self::Closed),
            _ => None,
        }
    }
}

/// Envoy says UNAVAILABLE of its own as well, a deadline included.
fn unavailable(status_message: &str) -> Option<Outcome> {
    let inner = status_message.strip_suffix('}')?;
    // The details may have braces of their own, in which nothing else has.
    let details = match inner.strip_suffix('}') {
        Some(nested) => inner.get(nested.rfind("{upstream_reset")? + 1..)?,
        None => inner.get(inner.rfind('{')? + 1..)?,
    };
    let of_envoy = of_details(details);
    let timed_out = of_envoy == Outcome::timeout();
    Some(if timed_out {
        of_envoy
    } else {
        Outcome::unreached(with_cause("grpc", of_envoy.reason()))
    })
}

/// The last `status = 1` of a `HealthCheckResponse`, 0 where it has none; `None` where the bytes
/// are no message. Unknown fields are skipped.
fn serving_status(mut message: &[u8]) -> Option<u64> {
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
    use alloc::borrow::ToOwned;
    use alloc::string::String;

    use super::*;

    #[test]
    fn answers() {
        for (code, message, status) in [
            (0, &b"\x08\x01"[..], 200),
            (0, b"\x08\x02", 500),
            (0, b"", 500),
            (0, b"\x08\x03", 500),
            (0, b"\x08\x02\x08\x01", 200),
            (0, b"\x08\x01\x08\x02", 500),
            // Unknown fields of every wire type.
            (0, b"\x10\x05\x1a\x01x\x21AAAAAAAA\x2dBBBB\x08\x01", 200),
            (0, b"\x08", 500),
            (0, b"\x0a\x05x", 500),
            (0, b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 500),
            (0, b"\x0b", 500),
            (0, b"garbage", 500),
            (2, b"\x08\x01", 500),
            (4, b"", 504),
            (5, b"", 500),
            (12, b"", 500),
            (14, b"", 500),
        ] {
            assert_eq!(outcome(code, "", message).status(), status, "{code} {message:?}");
        }
        let outcome = outcome(14, "Connection_refused", b"");
        assert_eq!(outcome.reason(), "grpc: unavailable: Connection refused");
    }

    #[test]
    fn what_envoy_says_in_the_apps_place() {
        const REFUSED: &str = "upstream connect error or disconnect/reset before headers. reset \
            reason: remote connection failure{upstream_reset_before_response_started{\
            remote_connection_failure|delayed_connect_error:_Connection_refused}}";
        for (message, status, reason) in [
            (
                "upstream request timeout{response_timeout}",
                504,
                "not done within the probe's timeout",
            ),
            (REFUSED, 500, "grpc: no connection: delayed connect error: Connection refused"),
            ("too {much{via_upstream}", 500, "grpc: unavailable: too {much"),
            ("via_upstream", 500, "grpc: unavailable"),
            (
                "upstream {response_timeout}{via_upstream}",
                500,
                "grpc: unavailable: upstream {response timeout}",
            ),
            ("no braces", 500, "grpc: unavailable: no braces"),
            ("}", 500, "grpc: unavailable: }"),
            ("}}", 500, "grpc: unavailable: }}"),
        ] {
            let outcome = outcome(14, message, b"");
            assert_eq!((outcome.status(), outcome.reason()), (status, reason));
        }
    }

    #[test]
    fn what_did_not_get_to_the_app() {
        let timed_out = ["reset reason: connection timeout", DIAL_TIMED_OUT].concat();
        for (code, message, undelivered) in [
            (14, timed_out.clone(), Some(Undelivered::DialTimedOut)),
            (14, CLOSED.to_owned(), Some(Undelivered::Closed)),
            (14, [&timed_out, OF_APP].concat(), None),
            (13, timed_out, None),
            (14, String::new(), None),
        ] {
            assert_eq!(Undelivered::of(code, &message), undelivered, "{code} {message}");
        }
    }

    #[test]
    fn as_often_as_the_kubelets_client() {
        for (seconds, dials) in
            [(0, 0), (1, 0), (2, 1), (3, 2), (5, 2), (6, 3), (60, 7), (3600, 11)]
        {
            assert_eq!(dials_again(Duration::from_secs(seconds)), dials, "{seconds}");
        }
    }

    #[test]
    fn messages() {
        assert_eq!(health_request(""), b"");
        assert_eq!(health_request("abc"), b"\x0a\x03abc");
        assert_eq!(health_request(&"x".repeat(300))[..3], [0x0a, 0xac, 0x02]);
        let message = b"\x0a\x10\x0a\x02ab\x12\x03c:1\x22\x05\x08\x80\x80\x80\x02";
        assert_eq!(service("ab", "c:1"), message);
        let long = service(&"x".repeat(200), "c:1");
        assert_eq!(long[..6], [0x0a, 0xd7, 0x01, 0x0a, 0xc8, 0x01]);
        assert_eq!(filter_state("a", "b"), b"\x0a\x01a\x12\x01b");
    }
}
