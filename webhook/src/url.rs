//! Go's URL rules (`net/url` of Go 1.26), as far as the kubelet applies them to a probe's path and
//! to the Location of a redirect. Works on bytes, since neither need be UTF-8.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

mod host;

pub use host::is_ip;

/// A URL, or a reference to one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    /// In lower case; empty where there is none.
    pub scheme: String,
    /// `name:password`, unescaped: what Basic authorization encodes. The password may be empty.
    pub user: Option<Vec<u8>>,
    /// With its port and its brackets, unescaped.
    pub host: Vec<u8>,
    /// What follows the scheme of a URL such as `mailto:x`.
    pub opaque: Vec<u8>,
    /// Percent-encoded where Go would encode it.
    pub path: Vec<u8>,
    /// As it came; `Some` and empty where the URL ends with `?`.
    pub query: Option<Vec<u8>>,
}

/// Why a text is no URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// A control character.
    ControlCharacter,
    /// It begins with a colon.
    MissingScheme,
    /// A colon in the first segment of a relative path.
    ColonInFirstSegment,
    /// A `%` without two hex digits, or one where none may be.
    Escape,
    /// A character or an address literal that cannot be a host.
    Host,
    /// What follows the host's colon is no number.
    Port,
    /// A character that cannot stand before the `@`.
    User,
    /// It names no host to ask, as in `mailto:x`.
    Opaque,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UrlError::ControlCharacter => "control character in URL",
            UrlError::MissingScheme => "missing scheme in URL",
            UrlError::ColonInFirstSegment => "colon in the first path segment of URL",
            UrlError::Escape => "invalid percent-encoding in URL",
            UrlError::Host => "invalid host in URL",
            UrlError::Port => "invalid port in URL",
            UrlError::User => "invalid user in URL",
            UrlError::Opaque => "no host in URL",
        })
    }
}

impl core::error::Error for UrlError {}

type Result<T> = core::result::Result<T, UrlError>;

/// The URL that the kubelet makes of a probe's `path`: its path and query, and the user where the
/// path holds one. Scheme and host are left empty: the probe says them.
///
/// A path that does not parse as a URL is taken as all path. One whose URL has no place for a host
/// (`mailto:x`) fails, as it does in the kubelet.
pub fn of_probe_path(path: &str) -> Result<Url> {
    let path = path.as_bytes();
    let mut url = parse(path).unwrap_or_else(|_| Url { path: escape_path(path), ..Url::default() });
    if !url.opaque.is_empty() {
        return Err(UrlError::Opaque);
    }
    if url.path.first() != Some(&b'/') && !url.path.is_empty() {
        url.path.insert(0, b'/');
    }
    url.scheme.clear();
    url.host.clear();
    Ok(url)
}

impl Url {
    /// What stands in the request line: path and query.
    pub fn request_target(&self) -> Vec<u8> {
        let mut target = if self.path.is_empty() { b"/".to_vec() } else { self.path.clone() };
        if let Some(query) = &self.query {
            target.push(b'?');
            target.extend_from_slice(query);
        }
        target
    }

    /// The host without port and brackets.
    pub fn hostname(&self) -> &[u8] {
        let (name, _) = self.split_host();
        name.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or(name)
    }

    /// The port's digits, empty where it names none.
    pub fn port(&self) -> &[u8] {
        self.split_host().1
    }

    fn split_host(&self) -> (&[u8], &[u8]) {
        let colon = self.host.iter().rposition(|b| *b == b':').unwrap_or(self.host.len());
        let (name, port) = self.host.split_at_checked(colon).unwrap_or_default();
        match port.split_first() {
            Some((_, digits)) if digits.iter().all(u8::is_ascii_digit) => (name, digits),
            _ => (&self.host, b""),
        }
    }

    /// The URL that `reference` means on a page at this URL (RFC 3986, section 5.2, as in Go).
    #[inline(never)]
    pub fn resolve(&self, reference: &Url) -> Url {
        let mut url = reference.clone();
        if reference.scheme.is_empty() {
            url.scheme = self.scheme.clone();
        }
        if !reference.scheme.is_empty() || !reference.host.is_empty() || reference.user.is_some() {
            url.path = remove_dot_segments(&reference.path);
            return url;
        }
        if reference.path.is_empty() && reference.query.is_none() {
            url.query = self.query.clone();
        }
        url.host = self.host.clone();
        url.user = self.user.clone();
        url.path = match reference.path.first() {
            None => remove_dot_segments(&self.path),
            Some(b'/') => remove_dot_segments(&reference.path),
            Some(_) => {
                let folder = self.path.iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1);
                let mut path = self.path.get(..folder).unwrap_or_default().to_vec();
                path.extend_from_slice(&reference.path);
                remove_dot_segments(&path)
            }
        };
        url
    }
}

/// Parses a URL or a reference. The fragment is checked and dropped.
pub fn parse(text: &[u8]) -> Result<Url> {
    let (text, fragment) = cut(text, b'#').unwrap_or((text, b""));
    unescape(fragment)?;
    if text.iter().any(u8::is_ascii_control) {
        return Err(UrlError::ControlCharacter);
    }
    let (scheme, rest) = split_scheme(text)?;
    let (rest, query) = match cut(rest, b'?') {
        // Go keeps `?` with nothing behind it only where it is the last byte.
        Some((rest, query)) => (rest, Some(query.to_vec())),
        None => (rest, None),
    };
    let mut url = Url { scheme, query, ..Url::default() };
    if rest.first() != Some(&b'/') {
        if !url.scheme.is_empty() {
            url.opaque = rest.to_vec();
            return Ok(url);
        }
        if cut(rest, b'/').map_or(rest, |(segment, _)| segment).contains(&b':') {
            return Err(UrlError::ColonInFirstSegment);
        }
    }
    let mut path = rest;
    let authority = rest.strip_prefix(b"//").filter(|_| {
        // `///x` is a path, unless a scheme stands before it.
        !url.scheme.is_empty() || !rest.starts_with(b"///")
    });
    if let Some(authority) = authority {
        let end = authority.iter().position(|b| *b == b'/').unwrap_or(authority.len());
        let (authority, rest) = authority.split_at_checked(end).unwrap_or((authority, b""));
        path = rest;
        (url.user, url.host) = host::parse_authority(&url.scheme, authority)?;
    }
    let unescaped = unescape(path)?;
    url.path = if path.iter().all(|b| valid_in_path(*b)) {
        path.to_vec()
    } else {
        escape_path(&unescaped)
    };
    Ok(url)
}

#[inline(never)]
fn split_scheme(text: &[u8]) -> Result<(String, &[u8])> {
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err(UrlError::MissingScheme),
            b':' => {
                let (scheme, rest) = cut(text, b':').unwrap_or((b"", text));
                return Ok((String::from_utf8_lossy(scheme).to_ascii_lowercase(), rest));
            }
            _ => break,
        }
    }
    Ok((String::new(), text))
}

fn unescape(text: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        out.push(if *byte == b'%' {
            let mut digit =
                || rest.next().and_then(|b| char::from(*b).to_digit(16)).ok_or(UrlError::Escape);
            (digit()? << 4 | digit()?) as u8
        } else {
            *byte
        });
    }
    Ok(out)
}

fn unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-_.~".contains(&b)
}

/// A path made of these alone is sent as it is.
fn valid_in_path(b: u8) -> bool {
    unreserved(b) || b"$&+,/:;=@!'()*[]%".contains(&b)
}

fn escape_path(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    for b in path {
        if unreserved(*b) || b"$&+,/:;=@".contains(b) {
            out.push(*b);
        } else {
            out.push(b'%');
            for nibble in [b >> 4, b & 0xf] {
                out.push(
                    char::from_digit(nibble.into(), 16).unwrap_or('0').to_ascii_uppercase() as u8
                );
            }
        }
    }
    out
}

/// Go's `resolvePath`: the result begins with a slash unless it is empty.
fn remove_dot_segments(path: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return Vec::new();
    }
    // Without the slash that Go writes first and takes off again.
    let mut out: Vec<u8> = Vec::with_capacity(path.len() + 1);
    let mut first = true;
    let mut last: &[u8] = b"";
    for segment in path.split(|b| *b == b'/') {
        last = segment;
        match segment {
            b"." => first = false,
            b".." => {
                out.truncate(out.iter().rposition(|b| *b == b'/').unwrap_or(0));
                first = out.is_empty();
            }
            _ => {
                if !first {
                    out.push(b'/');
                }
                out.extend_from_slice(segment);
                first = false;
            }
        }
    }
    if last == b"." || last == b".." {
        out.push(b'/');
    }
    if out.first() != Some(&b'/') {
        out.insert(0, b'/');
    }
    out
}

fn cut(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(text.iter().position(|b| *b == at)?)?;
    Some((before, rest.get(1..)?))
}

#[cfg(test)]
mod tests;
