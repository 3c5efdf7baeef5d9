//! The probers config: the original probes, as the sidecar carries them in its environment.
//!
//! The format is Istio's, byte for byte (its `KubeAppProbers`), so that either side can be swapped:
//! compact JSON, keys sorted bytewise, empty fields left out but for grpc's `service`.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::handler::HandlerKind;
use crate::json::SyntaxError;

mod decode;
mod encode;

pub use decode::decode;
pub use encode::{encode, encode_entry, encode_prober};

/// The environment variable of the sidecar that holds the config.
pub const VARIABLE: &str = "ISTIO_KUBE_APP_PROBERS";

/// An original probe or lifecycle hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prober {
    /// What is asked.
    pub handler: Handler,
    /// `timeoutSeconds`; 0 where the probe has none.
    pub timeout_seconds: u32,
}

/// The three handlers that are redirected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handler {
    /// An HTTP GET.
    HttpGet(HttpGet),
    /// A TCP connection.
    TcpSocket(TcpSocket),
    /// A gRPC health check.
    Grpc(Grpc),
}

impl Handler {
    /// Which it is.
    pub fn kind(&self) -> HandlerKind {
        match self {
            Handler::HttpGet(_) => HandlerKind::HttpGet,
            Handler::TcpSocket(_) => HandlerKind::TcpSocket,
            Handler::Grpc(_) => HandlerKind::Grpc,
        }
    }
}

/// `httpGet`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpGet {
    /// As the probe has it; empty where it has none.
    pub path: String,
    /// 1 to 65535.
    pub port: u16,
    /// Recorded by Istio, ignored by both sides: a probe goes to its own pod.
    pub host: String,
    /// `None` where the probe has none, which means HTTP.
    pub scheme: Option<Scheme>,
    /// In the probe's order.
    pub headers: Vec<HttpHeader>,
    /// `None` where the probe has none, which means HTTP/1.1.
    pub protocol: Option<HttpProtocol>,
}

/// The scheme of an `httpGet`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS, the certificate not verified.
    Https,
}

impl Scheme {
    /// Kubernetes writes upper case; the kubelet takes any.
    pub fn parse(text: &str) -> Option<Self> {
        [Scheme::Http, Scheme::Https].into_iter().find(|s| s.as_str().eq_ignore_ascii_case(text))
    }

    /// `HTTP` or `HTTPS`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "HTTP",
            Scheme::Https => "HTTPS",
        }
    }
}

/// The protocol of an `httpGet` (Kubernetes 1.37), as the API writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 in clear text, with prior knowledge.
    Http2,
}

impl HttpProtocol {
    /// As the kubelet compares it, exactly.
    pub fn parse(text: &str) -> Option<Self> {
        [HttpProtocol::Http1, HttpProtocol::Http2].into_iter().find(|p| p.as_str() == text)
    }

    /// `HTTP1` or `HTTP2`.
    pub fn as_str(self) -> &'static str {
        match self {
            HttpProtocol::Http1 => "HTTP1",
            HttpProtocol::Http2 => "HTTP2",
        }
    }
}

/// The connection of a `grpc` probe (Kubernetes 1.37), as the API writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrpcMode {
    /// Plain text.
    Plaintext,
    /// TLS, the certificate not verified.
    Tls,
}

impl GrpcMode {
    /// As the kubelet compares it, exactly.
    pub fn parse(text: &str) -> Option<Self> {
        [GrpcMode::Plaintext, GrpcMode::Tls].into_iter().find(|mode| mode.as_str() == text)
    }

    /// `Plaintext` or `TLS`.
    pub fn as_str(self) -> &'static str {
        match self {
            GrpcMode::Plaintext => "Plaintext",
            GrpcMode::Tls => "TLS",
        }
    }
}

/// One of `httpHeaders`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpHeader {
    /// As the probe has it.
    pub name: String,
    /// May be empty.
    pub value: String,
}

/// `tcpSocket`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpSocket {
    /// 1 to 65535.
    pub port: u16,
    /// As in [`HttpGet::host`].
    pub host: String,
}

/// `grpc`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grpc {
    /// 1 to 65535.
    pub port: u16,
    /// The service that is asked for; absent and empty are recorded as different, and mean the same.
    pub service: Option<String>,
    /// `None` where the probe has none, which means plain text.
    pub mode: Option<GrpcMode>,
}

/// Every entry with a result of its own: one that is not valid harms no other. In the bytewise
/// order of their keys, each of which is there once.
// A map or a sort of the standard library would weigh 4 KB of the filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::vec_box, reason = "a text that is not sorted moves them: pointers take a tenth")]
pub struct Probers(Vec<Box<(String, Result<Prober, EntryError>)>>);

impl Probers {
    /// The entry of this key.
    pub fn get(&self, key: &str) -> Option<&Result<Prober, EntryError>> {
        let at = self.find(key).ok()?;
        self.0.get(at).map(|entry| &entry.1)
    }

    /// Adds an entry; it takes the place of one that has its key.
    fn insert(&mut self, key: String, entry: Result<Prober, EntryError>) {
        match self.find(&key) {
            Ok(at) => {
                if let Some(old) = self.0.get_mut(at) {
                    old.1 = entry;
                }
            }
            // At the end, where the text is sorted, as both sides write it.
            Err(at) => self.0.insert(at, Box::new((key, entry))),
        }
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|entry| entry.0.as_str().cmp(key))
    }

    /// Keys and entries, in order.
    pub fn into_entries(self) -> impl Iterator<Item = (String, Result<Prober, EntryError>)> {
        self.0.into_iter().map(|entry| *entry)
    }
}

/// Why an entry is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryError {
    /// The entry's key.
    pub key: String,
    /// The field, as in `httpGet.port`; empty where it is the entry itself.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What can be wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The key is none of the five path forms.
    NoProbePath,
    /// A value of another type than this was expected.
    Not(&'static str),
    /// None of httpGet, tcpSocket and grpc is there.
    NoHandler,
    /// More than one of them is there.
    SeveralHandlers,
    /// Not within 1 to 65535.
    Port(i64),
    /// Neither HTTP nor HTTPS.
    Scheme,
    /// Neither HTTP1 nor HTTP2.
    Protocol,
    /// Neither Plaintext nor TLS.
    Mode,
    /// `timeoutSeconds` is below 0 or above 2147483647.
    Timeout(i64),
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        f.write_str(": ")?;
        if !self.field.is_empty() {
            f.write_str(self.field)?;
            f.write_str(": ")?;
        }
        match self.fault {
            Fault::NoProbePath => f.write_str("the key is no probe path"),
            Fault::Not(expected) => write!(f, "not {expected}"),
            Fault::NoHandler => f.write_str("none of httpGet, tcpSocket and grpc"),
            Fault::SeveralHandlers => f.write_str("more than one of httpGet, tcpSocket and grpc"),
            Fault::Port(port) => write!(f, "{port} is not a port from 1 to 65535"),
            Fault::Scheme => f.write_str("neither HTTP nor HTTPS"),
            Fault::Protocol => f.write_str("neither HTTP1 nor HTTP2"),
            Fault::Mode => f.write_str("neither Plaintext nor TLS"),
            Fault::Timeout(seconds) => write!(f, "{seconds} is not a number of seconds"),
        }
    }
}

impl core::error::Error for EntryError {}

/// Why a text is no probers config at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// Not UTF-8, from this byte on.
    NotUtf8(usize),
    /// Not JSON.
    Syntax(SyntaxError),
    /// JSON, but no object.
    NoObject,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::NotUtf8(at) => write!(f, "not UTF-8 at byte {at}"),
            ConfigError::Syntax(error) => error.fmt(f),
            ConfigError::NoObject => f.write_str("not a JSON object"),
        }
    }
}

impl core::error::Error for ConfigError {}

#[cfg(test)]
mod tests;
