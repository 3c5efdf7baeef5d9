//! The messages of `grpc.health.v1.Health/Check`, as they stand on the wire.

/// `grpc.health.v1.HealthCheckResponse.ServingStatus`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServingStatus {
    /// The value of an empty message.
    Unknown = 0,
    /// The only status that counts as healthy.
    Serving = 1,
    /// The service says that it is not healthy.
    NotServing = 2,
}

/// The service that a framed HealthCheckRequest asks for.
pub fn service(frame: &[u8]) -> Option<String> {
    match frame.get(5..)? {
        [] => Some(String::new()),
        [0x0a, length, name @ ..] if usize::from(*length) == name.len() => {
            String::from_utf8(name.to_vec()).ok()
        }
        _ => None,
    }
}

/// A HealthCheckResponse in its gRPC frame.
pub fn response(status: ServingStatus) -> Vec<u8> {
    match status {
        ServingStatus::Unknown => framed(&[]),
        other => framed(&[0x08, other as u8]),
    }
}

/// A HealthCheckResponse that says SERVING and has an unknown field of `size` bytes.
pub fn long_response(size: usize) -> Vec<u8> {
    let mut message = vec![0x08, ServingStatus::Serving as u8, 0x12];
    let mut left = size;
    while left >= 0x80 {
        message.push(left as u8 | 0x80);
        left >>= 7;
    }
    message.push(left as u8);
    message.resize(message.len() + size, b'x');
    framed(&message)
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a short message");
    [&[0], &length.to_be_bytes()[..], message].concat()
}
