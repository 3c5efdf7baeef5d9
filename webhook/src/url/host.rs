//! What stands between `//` and the path: user, host and port.

use alloc::vec::Vec;

use super::{Result, UrlError, cut, unescape, unreserved};

pub(super) type Authority = (Option<Vec<u8>>, Vec<u8>);

pub(super) fn parse_authority(scheme: &str, authority: &[u8]) -> Result<Authority> {
    let at = authority.iter().rposition(|b| *b == b'@');
    let Some((user, host)) = at.and_then(|at| authority.split_at_checked(at)) else {
        return Ok((None, parse_host(scheme, authority)?));
    };
    let host = parse_host(scheme, host.get(1..).unwrap_or_default())?;
    if !user.iter().all(|b| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(b)) {
        return Err(UrlError::User);
    }
    let mut credentials = unescape(user)?;
    if !user.contains(&b':') {
        credentials.push(b':');
    }
    Ok((Some(credentials), host))
}

fn parse_host(scheme: &str, host: &[u8]) -> Result<Vec<u8>> {
    match host.iter().rposition(|b| *b == b'[') {
        Some(0) => return parse_ip_literal(host),
        Some(_) => return Err(UrlError::Host),
        None => {}
    }
    let first = host.iter().position(|b| *b == b':');
    let colon = match scheme {
        "http" | "https" => first,
        _ => host.iter().rposition(|b| *b == b':'),
    };
    check_port(colon.and_then(|at| host.get(at..)).unwrap_or_default())?;
    unescape_host(host)
}

/// `[` IPv6 address, with or without a zone, `]`, and a port.
fn parse_ip_literal(host: &[u8]) -> Result<Vec<u8>> {
    let close = host.iter().rposition(|b| *b == b']').ok_or(UrlError::Host)?;
    let (literal, port) = host.split_at_checked(close + 1).ok_or(UrlError::Host)?;
    check_port(port)?;
    let mut unescaped = unescape_host(literal)?;
    let address = unescaped.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    let address = address.unwrap_or_default();
    let (address, zone) = cut(address, b'%').unwrap_or((address, b"-"));
    if zone.is_empty() || !is_ipv6(address) {
        return Err(UrlError::Host);
    }
    unescaped.extend_from_slice(port);
    Ok(unescaped)
}

/// Whether Go's `netip` takes it for an address, of either family, without a zone.
pub fn is_ip(text: &str) -> bool {
    is_ipv4(text.as_bytes()) || is_ipv6(text.as_bytes())
}

/// Whether Go's `netip` takes it for an IPv6 address. The standard library's parser would weigh
/// 5 KB of the filter.
pub(super) fn is_ipv6(address: &[u8]) -> bool {
    match address.windows(2).position(|pair| pair == b"::") {
        None => ipv6_groups(address, true) == Some(8),
        Some(at) => {
            let (head, tail) = address.split_at_checked(at).unwrap_or_default();
            let head = ipv6_groups(head, false);
            let tail = ipv6_groups(tail.get(2..).unwrap_or_default(), true);
            head.zip(tail).is_some_and(|(head, tail)| head + tail < 8)
        }
    }
}

/// How many groups of 16 bits stand between the colons; an IPv4 address may be the last two.
fn ipv6_groups(text: &[u8], may_end_in_ipv4: bool) -> Option<usize> {
    let mut groups = 0;
    let mut parts = text.split(|b| *b == b':').peekable();
    while let Some(part) = parts.next().filter(|_| !text.is_empty()) {
        groups += match part.len() {
            1..=4 if part.iter().all(u8::is_ascii_hexdigit) => 1,
            _ if may_end_in_ipv4 && parts.peek().is_none() && is_ipv4(part) => 2,
            _ => return None,
        };
    }
    Some(groups)
}

fn is_ipv4(text: &[u8]) -> bool {
    let byte = |part: &[u8]| match part {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => {
            let value = || part.iter().fold(0, |value: u32, b| value * 10 + u32::from(b & 0xf));
            rest.len() < 3 && rest.iter().all(u8::is_ascii_digit) && value() < 256
        }
        _ => false,
    };
    text.split(|b| *b == b'.').count() == 4 && text.split(|b| *b == b'.').all(byte)
}

fn check_port(colon_port: &[u8]) -> Result<()> {
    match colon_port.split_first() {
        None => Ok(()),
        Some((b':', digits)) if digits.iter().all(u8::is_ascii_digit) => Ok(()),
        Some(_) => Err(UrlError::Port),
    }
}

/// In a host only bytes beyond ASCII may be percent-encoded, and the `%` before a zone.
fn unescape_host(host: &[u8]) -> Result<Vec<u8>> {
    let valid = |b: u8| unreserved(b) || b >= 0x80 || b"!$&'()*+,;=:[]<>\"%".contains(&b);
    if !host.iter().all(|b| valid(*b)) {
        return Err(UrlError::Host);
    }
    let mut rest = host;
    while let Some((_, after)) = cut(rest, b'%') {
        if matches!(after.first(), Some(b'0'..=b'7')) && !after.starts_with(b"25") {
            return Err(UrlError::Escape);
        }
        rest = after;
    }
    unescape(host)
}
