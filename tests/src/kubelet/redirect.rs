//! Where the kubelet follows a redirect to: only to the same host.

use std::net::SocketAddr;

use app_health_webhook::url::{Url, parse};

use super::Answer;
use super::dial::Security;

/// What is asked next.
pub(super) struct Hop {
    pub(super) to: SocketAddr,
    pub(super) security: Security,
    pub(super) target: Vec<u8>,
}

/// The next request, or `None` if the answer is final. A Location that is not a URL counts as one of
/// another host; the apps of the tests send none.
pub(super) fn next(
    from: SocketAddr,
    security: Security,
    at: &[u8],
    answer: &Answer,
) -> Option<Hop> {
    if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let name = match security {
        Security::Plain => "http",
        Security::Tls => "https",
    };
    let here = Url { scheme: name.into(), host: from.to_string().into_bytes(), ..parse(at).ok()? };
    let there = here.resolve(&parse(answer.header("location")?.as_bytes()).ok()?);
    let (security, usual) = match &there.scheme[..] {
        "http" => (Security::Plain, 80),
        "https" => (Security::Tls, 443),
        _ => return None,
    };
    let port = match std::str::from_utf8(there.port()).ok()? {
        "" => usual,
        digits => digits.parse().ok()?,
    };
    let is_here = there.hostname() == here.hostname();
    is_here.then(|| Hop {
        to: SocketAddr::new(from.ip(), port),
        security,
        target: there.request_target(),
    })
}
