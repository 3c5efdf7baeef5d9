//! Reading the config.
//!
//! Functions that are called once are kept apart by `inline(never)`, here and in `url`: merged into one,
//! they would cost each Envoy half a MiB.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::{
    ConfigError, EntryError, Fault, Grpc, GrpcMode, Handler, HttpGet, HttpHeader, HttpProtocol,
    Prober, Probers, Scheme, TcpSocket,
};
use crate::json::{Items, Reader, Stop, ValueType};
use crate::path::ProbePath;

/// Reads a config. Nothing at all, `null` and `{}` hold no entries. Unknown fields are ignored,
/// field names match without regard to ASCII case (as pilot-agent reads them), `null` and absent
/// mean the same, and of a key that is there twice the last counts.
///
/// # Errors
/// The text is no JSON object as a whole. An entry that is not valid is an error of its own.
#[inline(never)]
pub fn decode(text: &[u8]) -> Result<Probers, ConfigError> {
    let text = core::str::from_utf8(text).map_err(|e| ConfigError::NotUtf8(e.valid_up_to()))?;
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
#[inline(never)]
fn read_entries(reader: &mut Reader<'_>) -> Read<Option<Probers>> {
    let mut probers = Probers::default();
    let kind = reader.peek()?;
    if kind == ValueType::Object {
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
    Ok(matches!(kind, ValueType::Object | ValueType::Null).then_some(probers))
}

/// An entry while it is read: the first fault is kept, reading goes on for the sake of the others.
struct EntryReader<'r, 'a> {
    reader: &'r mut Reader<'a>,
    error: Option<(&'static str, Fault)>,
}

type Read<T> = Result<T, Stop>;

impl EntryReader<'_, '_> {
    #[inline(never)]
    fn read(reader: &mut Reader<'_>, key: &str) -> Read<Result<Prober, EntryError>> {
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
                http.scheme = self.word("httpGet.scheme", Scheme::parse, Fault::Scheme)?;
            } else if name.eq_ignore_ascii_case("httpHeaders") {
                http.headers = self.headers()?;
            } else if name.eq_ignore_ascii_case("protocol") {
                http.protocol =
                    self.word("httpGet.protocol", HttpProtocol::parse, Fault::Protocol)?;
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
            } else if name.eq_ignore_ascii_case("mode") {
                grpc.mode = self.word("grpc.mode", GrpcMode::parse, Fault::Mode)?;
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

    /// One of a few words; empty is absent.
    fn word<T>(
        &mut self,
        field: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        fault: Fault,
    ) -> Read<Option<T>> {
        let Some(text) = self.string(field)?.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let word = parse(&text);
        if word.is_none() {
            self.fault(field, fault);
        }
        Ok(word)
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
            ValueType::Object => return self.reader.open().map(Some),
            ValueType::Null if nullable => {}
            _ => self.fault(field, Fault::Not("an object")),
        }
        self.reader.raw().map(|_| None)
    }

    fn array(&mut self, field: &'static str) -> Read<Option<Items>> {
        match self.reader.peek()? {
            ValueType::Array => return self.reader.open().map(Some),
            ValueType::Null => {}
            _ => self.fault(field, Fault::Not("an array")),
        }
        self.reader.raw().map(|_| None)
    }

    fn string(&mut self, field: &'static str) -> Read<Option<String>> {
        match self.reader.peek()? {
            ValueType::String => return Ok(Some(self.reader.string()?.into_owned())),
            ValueType::Null => {}
            _ => self.fault(field, Fault::Not("a string")),
        }
        self.reader.raw().map(|_| None)
    }

    fn integer(&mut self, field: &'static str) -> Read<Option<i64>> {
        let kind = self.reader.peek()?;
        let text = self.reader.raw()?;
        if kind == ValueType::Null {
            return Ok(None);
        }
        let integer = text.parse().ok().filter(|_| kind == ValueType::Number);
        if integer.is_none() {
            self.fault(field, Fault::Not("an integer"));
        }
        Ok(integer)
    }
}
