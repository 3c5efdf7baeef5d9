//! The numbers and encodings of proxy-wasm ABI 0.2.1.

/// The status that a hostcall returns when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    NotFound = 1,
    BadArgument = 2,
    ParseFailure = 4,
    InvalidMemoryAccess = 6,
    CasMismatch = 8,
    InternalFailure = 10,
    BrokenConnection = 11,
}

/// The result of a hostcall. `Ok` is the ABI's status 0.
pub type HostcallResult<T = (), E = Status> = Result<T, E>;

/// The header maps of a stream, and those of a callout's response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapType {
    RequestHeaders,
    ResponseHeaders,
    ResponseTrailers,
    CallHeaders,
    CallTrailers,
    /// Request trailers and gRPC metadata, which the filter never sees.
    Invisible,
}

impl MapType {
    pub fn of(number: u32) -> HostcallResult<MapType> {
        Ok(match number {
            0 => MapType::RequestHeaders,
            2 => MapType::ResponseHeaders,
            3 => MapType::ResponseTrailers,
            6 => MapType::CallHeaders,
            7 => MapType::CallTrailers,
            1 | 4 | 5 => MapType::Invisible,
            _ => return Err(Status::BadArgument),
        })
    }
}

/// The buffers that the filter can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferType {
    RequestBody,
    ResponseBody,
    CallBody,
    GrpcMessage,
    VmConfiguration,
    PluginConfiguration,
}

impl BufferType {
    pub fn of(number: u32) -> HostcallResult<BufferType> {
        Ok(match number {
            0 => BufferType::RequestBody,
            1 => BufferType::ResponseBody,
            4 => BufferType::CallBody,
            5 => BufferType::GrpcMessage,
            6 => BufferType::VmConfiguration,
            7 => BufferType::PluginConfiguration,
            _ => return Err(Status::BadArgument),
        })
    }
}

/// The name and the value of a header.
pub type HeaderPair = (Vec<u8>, Vec<u8>);

/// Encodes a header map: the number of pairs, the lengths of all names and values, and then the names
/// and values themselves, each with a NUL behind it.
pub fn encode_pairs(pairs: &[HeaderPair]) -> Vec<u8> {
    let mut out = (pairs.len() as u32).to_le_bytes().to_vec();
    for (name, value) in pairs {
        out.extend((name.len() as u32).to_le_bytes());
        out.extend((value.len() as u32).to_le_bytes());
    }
    for (name, value) in pairs {
        for text in [name, value] {
            out.extend(text);
            out.push(0);
        }
    }
    out
}

/// Reads what [`encode_pairs`] writes; `None` for anything else.
pub fn decode_pairs(mut bytes: &[u8]) -> Option<Vec<HeaderPair>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let count = word(&mut bytes)?;
    let lengths = (0..count).map(|_| Some((word(&mut bytes)?, word(&mut bytes)?)));
    let lengths: Vec<(usize, usize)> = lengths.collect::<Option<_>>()?;
    let pairs =
        lengths.into_iter().map(|(n, v)| Some((text(&mut bytes, n)?, text(&mut bytes, v)?)));
    let pairs = pairs.collect::<Option<_>>()?;
    bytes.is_empty().then_some(pairs)
}

fn word(bytes: &mut &[u8]) -> Option<usize> {
    let (word, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    usize::try_from(u32::from_le_bytes(*word)).ok()
}

/// Reads a text and the NUL behind it.
fn text(bytes: &mut &[u8], length: usize) -> Option<Vec<u8>> {
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest.strip_prefix(b"\0")?;
    Some(text.to_vec())
}

/// The fields of a protobuf message, as number and content. All of them have to be length-delimited.
pub fn protobuf_fields(mut message: &[u8]) -> HostcallResult<Vec<(u8, Vec<u8>)>> {
    let mut fields = Vec::new();
    while let Some((tag, rest)) = message.split_first() {
        if tag & 7 != 2 || tag & 0x80 != 0 {
            return Err(Status::ParseFailure);
        }
        let (length, rest) = varint(rest).ok_or(Status::ParseFailure)?;
        let content = rest.get(..length).ok_or(Status::ParseFailure)?;
        fields.push((tag >> 3, content.to_vec()));
        message = &rest[length..];
    }
    Ok(fields)
}

fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}
