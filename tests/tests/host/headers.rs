//! A header map as Envoy stores it.

use std::fmt;

use super::abi::HeaderPair;

/// Headers with names in lower case, in the order in which they came, pseudo-headers first.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<HeaderPair>);

/// The headers of which Envoy stores one value: a second one is joined to the first by a comma.
const SINGLE: [&str; 12] = [
    ":method",
    ":path",
    ":authority",
    ":scheme",
    ":status",
    "connection",
    "content-length",
    "content-type",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

impl Headers {
    pub fn of<V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (impl AsRef<[u8]>, V)>) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in pairs {
            headers.add(name.as_ref(), value.as_ref());
        }
        headers
    }

    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        let name = canonical(name);
        let single = SINGLE.iter().any(|single| single.as_bytes() == name);
        match self.0.iter_mut().find(|(other, _)| single && *other == name) {
            Some((_, joined)) => {
                joined.push(b',');
                joined.extend(value);
            }
            None => self.insert(name, value.to_vec()),
        }
    }

    fn insert(&mut self, name: Vec<u8>, value: Vec<u8>) {
        let pseudo = self.0.iter().take_while(|(name, _)| name.starts_with(b":")).count();
        let at = if name.starts_with(b":") { pseudo } else { self.0.len() };
        self.0.insert(at, (name, value));
    }

    pub fn remove(&mut self, name: &[u8]) {
        let name = canonical(name);
        self.0.retain(|(other, _)| *other != name);
    }

    /// Sets the only value of a header, in the place of the first one.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let name = canonical(name);
        let at = self.0.iter().position(|(other, _)| *other == name);
        self.remove(&name);
        match at {
            Some(at) => self.0.insert(at, (name, value.to_vec())),
            None => self.add(&name, value),
        }
    }

    /// The first value of a header.
    pub fn first(&self, name: &[u8]) -> Option<&[u8]> {
        let name = canonical(name);
        let found = self.0.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| value.as_slice())
    }

    /// The first value of a header, as text.
    pub fn get(&self, name: &str) -> Option<String> {
        self.first(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    pub fn pairs(&self) -> &[HeaderPair] {
        &self.0
    }

    /// All headers as `name: value`, to be compared in a test.
    pub fn lines(&self) -> Vec<String> {
        let line = |(name, value): &HeaderPair| {
            format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
        };
        self.0.iter().map(line).collect()
    }

    /// The headers that would break the message apart on the wire.
    pub fn broken_lines(&self) -> Vec<String> {
        let control = |text: &[u8]| text.iter().any(|b| matches!(b, b'\r' | b'\n' | 0));
        let broken = |pair: &&HeaderPair| pair.0.is_empty() || control(&pair.0) || control(&pair.1);
        self.0.iter().filter(broken).map(|pair| format!("{pair:?}")).collect()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lines()).finish()
    }
}

/// The name under which Envoy stores a header: Host is `:authority`.
fn canonical(name: &[u8]) -> Vec<u8> {
    match name.to_ascii_lowercase() {
        name if name == b"host" => b":authority".to_vec(),
        name => name,
    }
}
