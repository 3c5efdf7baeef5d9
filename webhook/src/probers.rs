//! The probers config: the original probes, as the sidecar carries them in its environment.
//!
//! The format is Istio's, byte for byte (its `KubeAppProbers`), so that either side can be swapped:
//! compact JSON, keys sorted bytewise, empty fields left out but for grpc's `service`.

use std::fmt;

use crate::json::{Items, Kind, Reader, Stop, SyntaxError, write_string};
use crate::path::ProbePath;

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
}

/// What an entry's text comes to.
pub type Entry = Result<Prober, EntryError>;

/// Every entry with a result of its own: one that is not valid harms no other. In the bytewise
/// order of their keys, each of which is there once.
// A map of the standard library would weigh 4 KB of the filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probers(Vec<(String, Entry)>);

impl Probers {
    /// The entry of this key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        let at = self.find(key).ok()?;
        self.0.get(at).map(|(_, entry)| entry)
    }

    /// Adds an entry; it takes the place of one that has its key.
    fn insert(&mut self, key: String, entry: Entry) {
        match self.find(&key) {
            Ok(at) => {
                if let Some(old) = self.0.get_mut(at) {
                    old.1 = entry;
                }
            }
            // At the end, where the text is sorted, as both sides write it.
            Err(at) => self.0.insert(at, (key, entry)),
        }
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_str().cmp(key))
    }
}

impl IntoIterator for Probers {
    type Item = (String, Entry);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
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
            Fault::Timeout(seconds) => write!(f, "{seconds} is not a number of seconds"),
        }
    }
}

impl std::error::Error for EntryError {}

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

impl std::error::Error for ConfigError {}

/// Reads a config. Nothing at all, `null` and `{}` hold no entries. Unknown fields are ignored,
/// field names match without regard to ASCII case (as pilot-agent reads them), `null` and absent
/// mean the same, and of a key that is there twice the last counts.
#[inline(never)]
pub fn decode(text: &[u8]) -> Result<Probers, ConfigError> {
    let text = std::str::from_utf8(text).map_err(|e| ConfigError::NotUtf8(e.valid_up_to()))?;
    if text.is_empty() {
        return Ok(Probers::default());
    }
    let mut reader = Reader::new(text);
    match read_entries(&mut reader) {
        Ok(Some(probers)) => Ok(probers),
        Ok(None) => Err(ConfigError::NoObject),
        Err(Stop) => Err(ConfigError::Syntax(reader.error())),
    }
}

/// `None` where the text is neither an object nor `null`.
fn read_entries(reader: &mut Reader<'_>) -> Read<Option<Probers>> {
    let mut probers = Probers::default();
    let kind = reader.peek()?;
    if kind == Kind::Object {
        let mut entries = reader.open()?;
        while let Some(key) = reader.next_key(&mut entries)? {
            let key = key.into_owned();
            let prober = EntryReader::read(reader, &key)?;
            probers.insert(key, prober);
        }
    } else {
        reader.raw()?;
    }
    reader.end()?;
    Ok(matches!(kind, Kind::Object | Kind::Null).then_some(probers))
}

/// An entry while it is read: the first fault is kept, reading goes on for the sake of the others.
struct EntryReader<'r, 'a> {
    reader: &'r mut Reader<'a>,
    error: Option<(&'static str, Fault)>,
}

type Read<T> = Result<T, Stop>;

impl EntryReader<'_, '_> {
    fn read(reader: &mut Reader<'_>, key: &str) -> Read<Entry> {
        let mut entry = EntryReader { reader, error: None };
        if ProbePath::parse(key).is_none() {
            entry.fault("", Fault::NoProbePath);
        }
        let prober = entry.prober()?;
        Ok(match (entry.error, prober) {
            (None, Some(prober)) => Ok(prober),
            (error, _) => {
                let (field, fault) = error.unwrap_or(("", Fault::NoHandler));
                Err(EntryError { key: key.to_owned(), field, fault })
            }
        })
    }

    fn fault(&mut self, field: &'static str, fault: Fault) {
        self.error.get_or_insert((field, fault));
    }

    #[inline(never)]
    fn prober(&mut self) -> Read<Option<Prober>> {
        let mut handlers = [None, None, None];
        let mut timeout_seconds = 0;
        let Some(mut fields) = self.object("", false)? else { return Ok(None) };
        while let Some(name) = self.reader.next_key(&mut fields)? {
            let [http, tcp, grpc] = &mut handlers;
            if name.eq_ignore_ascii_case("httpGet") {
                *http = self.http_get()?;
            } else if name.eq_ignore_ascii_case("tcpSocket") {
                *tcp = self.tcp_socket()?;
            } else if name.eq_ignore_ascii_case("grpc") {
                *grpc = self.grpc()?;
            } else if name.eq_ignore_ascii_case("timeoutSeconds") {
                timeout_seconds = self.timeout()?;
            } else {
                self.reader.raw()?;
            }
        }
        let mut there = handlers.into_iter().flatten();
        let handler = there.next();
        if there.next().is_some() {
            self.fault("", Fault::SeveralHandlers);
        }
        Ok(handler.map(|handler| Prober { handler, timeout_seconds }))
    }

    #[inline(never)]
    fn http_get(&mut self) -> Read<Option<Handler>> {
        let mut http = HttpGet::default();
        let Some(mut fields) = self.object("httpGet", true)? else { return Ok(None) };
        while let Some(name) = self.reader.next_key(&mut fields)? {
            if name.eq_ignore_ascii_case("path") {
                http.path = self.string("httpGet.path")?.unwrap_or_default();
            } else if name.eq_ignore_ascii_case("port") {
                http.port = self.port("httpGet.port")?;
            } else if name.eq_ignore_ascii_case("host") {
                http.host = self.string("httpGet.host")?.unwrap_or_default();
            } else if name.eq_ignore_ascii_case("scheme") {
                http.scheme = self.scheme()?;
            } else if name.eq_ignore_ascii_case("httpHeaders") {
                http.headers = self.headers()?;
            } else {
                self.reader.raw()?;
            }
        }
        self.require_port(http.port, "httpGet.port");
        Ok(Some(Handler::HttpGet(http)))
    }

    #[inline(never)]
    fn tcp_socket(&mut self) -> Read<Option<Handler>> {
        let mut tcp = TcpSocket::default();
        let Some(mut fields) = self.object("tcpSocket", true)? else { return Ok(None) };
        while let Some(name) = self.reader.next_key(&mut fields)? {
            if name.eq_ignore_ascii_case("port") {
                tcp.port = self.port("tcpSocket.port")?;
            } else if name.eq_ignore_ascii_case("host") {
                tcp.host = self.string("tcpSocket.host")?.unwrap_or_default();
            } else {
                self.reader.raw()?;
            }
        }
        self.require_port(tcp.port, "tcpSocket.port");
        Ok(Some(Handler::TcpSocket(tcp)))
    }

    #[inline(never)]
    fn grpc(&mut self) -> Read<Option<Handler>> {
        let mut grpc = Grpc::default();
        let Some(mut fields) = self.object("grpc", true)? else { return Ok(None) };
        while let Some(name) = self.reader.next_key(&mut fields)? {
            if name.eq_ignore_ascii_case("port") {
                grpc.port = self.port("grpc.port")?;
            } else if name.eq_ignore_ascii_case("service") {
                grpc.service = self.string("grpc.service")?;
            } else {
                self.reader.raw()?;
            }
        }
        self.require_port(grpc.port, "grpc.port");
        Ok(Some(Handler::Grpc(grpc)))
    }

    #[inline(never)]
    fn headers(&mut self) -> Read<Vec<HttpHeader>> {
        const FIELD: &str = "httpGet.httpHeaders";
        let mut headers = Vec::new();
        let Some(mut items) = self.array(FIELD)? else { return Ok(headers) };
        while self.reader.next_item(&mut items)? {
            let mut header = HttpHeader::default();
            let Some(mut fields) = self.object(FIELD, false)? else { continue };
            while let Some(name) = self.reader.next_key(&mut fields)? {
                if name.eq_ignore_ascii_case("name") {
                    header.name = self.string(FIELD)?.unwrap_or_default();
                } else if name.eq_ignore_ascii_case("value") {
                    header.value = self.string(FIELD)?.unwrap_or_default();
                } else {
                    self.reader.raw()?;
                }
            }
            headers.push(header);
        }
        Ok(headers)
    }

    fn scheme(&mut self) -> Read<Option<Scheme>> {
        const FIELD: &str = "httpGet.scheme";
        let Some(text) = self.string(FIELD)?.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let scheme = Scheme::parse(&text);
        if scheme.is_none() {
            self.fault(FIELD, Fault::Scheme);
        }
        Ok(scheme)
    }

    fn timeout(&mut self) -> Read<u32> {
        const FIELD: &str = "timeoutSeconds";
        let seconds = self.integer(FIELD)?.unwrap_or(0);
        match u32::try_from(seconds) {
            Ok(seconds) if seconds <= i32::MAX as u32 => Ok(seconds),
            _ => {
                self.fault(FIELD, Fault::Timeout(seconds));
                Ok(0)
            }
        }
    }

    /// 0, with the fault kept, where it is none.
    fn port(&mut self, field: &'static str) -> Read<u16> {
        let port = self.integer(field)?.unwrap_or(0);
        match u16::try_from(port) {
            Ok(port) if port != 0 => Ok(port),
            _ => {
                self.fault(field, Fault::Port(port));
                Ok(0)
            }
        }
    }

    fn require_port(&mut self, port: u16, field: &'static str) {
        if port == 0 {
            self.fault(field, Fault::Port(0));
        }
    }

    fn object(&mut self, field: &'static str, nullable: bool) -> Read<Option<Items>> {
        match self.reader.peek()? {
            Kind::Object => return self.reader.open().map(Some),
            Kind::Null if nullable => {}
            _ => self.fault(field, Fault::Not("an object")),
        }
        self.reader.raw().map(|_| None)
    }

    fn array(&mut self, field: &'static str) -> Read<Option<Items>> {
        match self.reader.peek()? {
            Kind::Array => return self.reader.open().map(Some),
            Kind::Null => {}
            _ => self.fault(field, Fault::Not("an array")),
        }
        self.reader.raw().map(|_| None)
    }

    fn string(&mut self, field: &'static str) -> Read<Option<String>> {
        match self.reader.peek()? {
            Kind::String => return Ok(Some(self.reader.string()?.into_owned())),
            Kind::Null => {}
            _ => self.fault(field, Fault::Not("a string")),
        }
        self.reader.raw().map(|_| None)
    }

    fn integer(&mut self, field: &'static str) -> Read<Option<i64>> {
        let kind = self.reader.peek()?;
        let text = self.reader.raw()?;
        if kind == Kind::Null {
            return Ok(None);
        }
        let integer = text.parse().ok().filter(|_| kind == Kind::Number);
        if integer.is_none() {
            self.fault(field, Fault::Not("an integer"));
        }
        Ok(integer)
    }
}

/// Writes a config. The entries must come in the bytewise order of their keys, as a map's do.
pub fn encode<'a>(entries: impl IntoIterator<Item = (&'a str, &'a Prober)>) -> String {
    let mut out = String::from("{");
    for (key, prober) in entries {
        if out.len() > 1 {
            out.push(',');
        }
        encode_entry(&mut out, key, prober);
    }
    out.push('}');
    out
}

/// Writes one entry, `"key":{…}`.
pub fn encode_entry(out: &mut String, key: &str, prober: &Prober) {
    write_string(out, key);
    out.push(':');
    match &prober.handler {
        Handler::HttpGet(http) => encode_http_get(out, http),
        Handler::TcpSocket(tcp) => {
            out.push_str(r#"{"tcpSocket":{"port":"#);
            out.push_str(&tcp.port.to_string());
            encode_string_field(out, ",\"host\":", &tcp.host);
        }
        Handler::Grpc(grpc) => {
            out.push_str(r#"{"grpc":{"port":"#);
            out.push_str(&grpc.port.to_string());
            out.push_str(",\"service\":");
            match &grpc.service {
                Some(service) => write_string(out, service),
                None => out.push_str("null"),
            }
        }
    }
    out.push('}');
    if prober.timeout_seconds > 0 {
        out.push_str(",\"timeoutSeconds\":");
        out.push_str(&prober.timeout_seconds.to_string());
    }
    out.push('}');
}

fn encode_http_get(out: &mut String, http: &HttpGet) {
    out.push_str(r#"{"httpGet":{"#);
    if !http.path.is_empty() {
        out.push_str("\"path\":");
        write_string(out, &http.path);
        out.push(',');
    }
    out.push_str("\"port\":");
    out.push_str(&http.port.to_string());
    encode_string_field(out, ",\"host\":", &http.host);
    if let Some(scheme) = http.scheme {
        encode_string_field(out, ",\"scheme\":", scheme.as_str());
    }
    let mut before = ",\"httpHeaders\":[";
    for header in &http.headers {
        out.push_str(before);
        out.push_str("{\"name\":");
        write_string(out, &header.name);
        out.push_str(",\"value\":");
        write_string(out, &header.value);
        out.push('}');
        before = ",";
    }
    if !http.headers.is_empty() {
        out.push(']');
    }
}

fn encode_string_field(out: &mut String, name: &str, text: &str) {
    if !text.is_empty() {
        out.push_str(name);
        write_string(out, text);
    }
}

#[cfg(test)]
mod tests;
