//! `grpc`: the call of the app's health service, and what its answer means.

use alloc::format;
use alloc::vec::Vec;

use super::{Failure, agent};
use crate::protobuf;
use crate::reason::Reason;

/// The path of the one method that probes call.
pub const PATH: &str = "/grpc.health.v1.Health/Check";

/// As grpc-go writes it behind the kubelet's own name.
pub const USER_AGENT: &str = concat!(agent!("kube-probe"), " grpc-go/1.82.1");

/// Flags, and the message's length.
const PREFIX: usize = 5;

/// The body of the call: a HealthCheckRequest in its gRPC frame.
pub fn request(service: &str) -> Vec<u8> {
    let message = protobuf::health_request(service);
    let length = (message.len() as u32).to_be_bytes();
    [&[0], &length[..], &message].concat()
}

/// Whether the service is SERVING, by the `grpc-status` and the body of its answer. The HTTP status does
/// not matter.
///
/// # Errors
/// It is not, and why.
pub fn verdict(status: Option<&[u8]>, body: &[u8]) -> Result<(), Failure> {
    let not_serving = |text| Err(Failure::new(Reason::NotServing, text));
    match status {
        Some(b"0") => {}
        Some(b"4") => return Err(Failure::new(Reason::Timeout, "deadline exceeded")),
        Some(b"5") => return not_serving("service unknown".into()),
        Some(b"12") => return not_serving("health service not implemented".into()),
        Some(code) => return not_serving(format!("status {}", code.escape_ascii())),
        None => return Err(Failure::new(Reason::Invalid, "not a gRPC answer")),
    }
    match message(body).and_then(protobuf::serving_status) {
        Some(1) => Ok(()),
        Some(2) => not_serving("NOT_SERVING".into()),
        Some(3) => not_serving("SERVICE_UNKNOWN".into()),
        Some(_) => not_serving("UNKNOWN".into()),
        None => Err(Failure::new(Reason::Invalid, "not a health check's answer")),
    }
}

fn message(body: &[u8]) -> Option<&[u8]> {
    let (prefix, message) = body.split_at_checked(PREFIX)?;
    let length = u32::from_be_bytes(prefix[1..].try_into().ok()?);
    (prefix[0] == 0 && message.len() == length as usize).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request() {
        assert_eq!(request(""), b"\0\0\0\0\0");
        assert_eq!(request("abc"), b"\0\0\0\0\x05\x0a\x03abc");
    }

    #[test]
    fn only_serving_is_well() {
        for (status, body, said) in [
            (Some("0"), &b"\0\0\0\0\x02\x08\x01"[..], "ok"),
            (Some("0"), b"\0\0\0\0\x05\x12\x01x\x08\x01", "ok"),
            (Some("0"), b"\0\0\0\0\x02\x08\x02", "not_serving NOT_SERVING"),
            (Some("0"), b"\0\0\0\0\x02\x08\x03", "not_serving SERVICE_UNKNOWN"),
            (Some("0"), b"\0\0\0\0\0", "not_serving UNKNOWN"),
            (Some("0"), b"", "invalid not a health check's answer"),
            (Some("0"), b"\0\0\0\0\x03\x08\x01", "invalid not a health check's answer"),
            (Some("0"), b"\x01\0\0\0\x02\x08\x01", "invalid not a health check's answer"),
            (Some("4"), b"", "timeout deadline exceeded"),
            (Some("5"), b"", "not_serving service unknown"),
            (Some("12"), b"", "not_serving health service not implemented"),
            (Some("\n"), b"\0\0\0\0\x02\x08\x01", "not_serving status \\n"),
            (None, b"\0\0\0\0\x02\x08\x01", "invalid not a gRPC answer"),
        ] {
            let verdict = verdict(status.map(str::as_bytes), body);
            let came = verdict.map_or_else(
                |failure| format!("{} {failure}", failure.reason.as_str()),
                |()| "ok".into(),
            );
            assert_eq!(came, said, "{status:?} {}", body.escape_ascii());
        }
    }
}
