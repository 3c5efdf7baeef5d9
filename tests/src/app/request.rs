//! What an app was asked.

use std::net::SocketAddr;

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where it came from.
    pub peer: SocketAddr,
    /// `GET`
    pub method: String,
    /// The request target, as it stood in the request line (HTTP/2: `:path`).
    pub target: String,
    /// `HTTP/1.1`
    pub version: String,
    /// In their order, case and number (HTTP/2: `:authority` is among them as `host`).
    pub headers: Vec<(String, Vec<u8>)>,
    /// The name asked for in the TLS handshake.
    pub sni: Option<String>,
    /// Whether the TLS session is that of an earlier connection.
    pub resumed: bool,
}

impl Request {
    /// The first header of this name, for people.
    pub fn header(&self, name: &str) -> Option<String> {
        let of_name = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// The headers as lines, `Name: value`.
    pub fn lines(&self) -> Vec<String> {
        let line = |(n, v): &(String, Vec<u8>)| format!("{n}: {}", String::from_utf8_lossy(v));
        self.headers.iter().map(line).collect()
    }

    /// Reads a head of HTTP/1, the empty line at its end taken off.
    pub(super) fn parse(peer: SocketAddr, head: &[u8]) -> Option<Self> {
        let mut lines = head.split(|b| *b == b'\n').map(|line| line.trim_ascii_end());
        let first = String::from_utf8_lossy(lines.next()?).into_owned();
        let (method, rest) = first.split_once(' ')?;
        let (target, version) = rest.rsplit_once(' ')?;
        let headers = lines.map(header).collect::<Option<_>>()?;
        Some(Self {
            peer,
            method: method.to_owned(),
            target: target.to_owned(),
            version: version.to_owned(),
            headers,
            sni: None,
            resumed: false,
        })
    }

    /// What hyper read.
    pub(super) fn of<B>(peer: SocketAddr, request: &hyper::Request<B>) -> Self {
        let uri = request.uri();
        let host = uri.authority().map(|a| ("host".to_owned(), a.as_str().as_bytes().to_vec()));
        let others = request.headers().iter();
        let others = others.map(|(n, v)| (n.as_str().to_owned(), v.as_bytes().to_vec()));
        Self {
            peer,
            method: request.method().to_string(),
            target: uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            version: format!("{:?}", request.version()),
            headers: host.into_iter().chain(others).collect(),
            sni: None,
            resumed: false,
        }
    }
}

fn header(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let at = line.iter().position(|b| *b == b':')?;
    let name = String::from_utf8_lossy(&line[..at]).into_owned();
    Some((name, line[at + 1..].trim_ascii().to_vec()))
}
