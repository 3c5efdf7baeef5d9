//! The protobuf messages of a gRPC health check, written and read by hand: a library would be larger than
//! all of the filter.

use alloc::vec::Vec;

/// `grpc.health.v1.HealthCheckRequest { service = 1 }`
pub fn health_request(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        push_bytes(&mut message, 1, service.as_bytes());
    }
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

/// Appends a field that is length-delimited. Its number is 15 at most.
pub fn push_bytes(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
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
    fn requests() {
        assert_eq!(health_request(""), b"");
        assert_eq!(health_request("abc"), b"\x0a\x03abc");
        for (length, size) in [(127, &[0x7f][..]), (128, &[0x80, 0x01]), (300, &[0xac, 0x02])] {
            let request = health_request(&"x".repeat(length));
            assert!(request[1..].starts_with(size), "{length}: {:x?}", &request[..3]);
            assert_eq!(request.len(), 1 + size.len() + length);
        }
    }

    #[test]
    fn answers() {
        for (message, status) in [
            (&b"\x08\x01"[..], Some(1)),
            (b"", Some(0)),
            (b"\x08\x02\x08\x01", Some(1)),
            (b"\x08\x81\x00", Some(1)),
            (b"\x08\x80\x81\x01", Some(0x4080)),
            (b"\x10\x05\x1a\x01x\x21AAAAAAAA\x2dBBBB\x08\x01", Some(1)),
            (b"\x08", None),
            (b"\x0a\x05x", None),
            (b"\x0b", None),
        ] {
            assert_eq!(serving_status(message), status, "{}", message.escape_ascii());
        }
    }
}
