//! `httpGet`, of a probe and of a lifecycle hook.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::DEFAULT_TIMEOUT;
use super::dial::{Security, Stream};
use super::http1::{Answer, BODY_LIMIT, exchange};
use super::redirect;

/// The number of redirects that are followed; one more is a failure.
const HOPS: usize = 9;

/// Who sends the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    Probe,
    Hook,
}

/// A GET as the kubelet sends it.
#[derive(Clone, Debug)]
pub struct Get {
    to: SocketAddr,
    security: Security,
    target: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
    timeout: Option<Duration>,
    body_limit: usize,
    asker: Asker,
    redirects: Redirects,
}

/// What is done with a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Redirects {
    AreAnswers,
    AreFollowed,
}

impl Get {
    /// A probe: one second in all unless [`Get::timeout`] says otherwise, no keep-alive.
    pub fn probe(to: SocketAddr, target: impl Into<Vec<u8>>) -> Self {
        Self {
            to,
            security: Security::Plain,
            target: target.into(),
            headers: Vec::new(),
            timeout: Some(DEFAULT_TIMEOUT),
            body_limit: BODY_LIMIT,
            asker: Asker::Probe,
            redirects: Redirects::AreAnswers,
        }
    }

    /// A lifecycle hook: no limit, keep-alive; it fails only where this gives an error.
    pub fn hook(to: SocketAddr, target: impl Into<Vec<u8>>) -> Self {
        Self { timeout: None, asker: Asker::Hook, ..Self::probe(to, target) }
    }

    /// One of the probe's `httpHeaders`. `Host` overrides the Host, the first of two wins;
    /// a `User-Agent` or `Accept` replaces the kubelet's own, and an empty one leaves it out.
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Over TLS.
    pub fn over_tls(mut self) -> Self {
        self.security = Security::Tls;
        self
    }

    /// Follows redirects to the same host, as it does with an app; the status port sends none.
    pub fn follow(mut self) -> Self {
        self.redirects = Redirects::AreFollowed;
        self
    }

    /// A limit for all of it: the dial, the head and the body.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Reads all of the body, as no kubelet does.
    pub fn whole_body(mut self) -> Self {
        self.body_limit = usize::MAX;
        self
    }

    /// The answer, its body read up to the 10,240 bytes that the kubelet reads.
    pub fn send(&self) -> io::Result<Answer> {
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        let mut get = self.clone();
        for _ in 0..=HOPS {
            let stream = Stream::dial(get.to, get.security, deadline)?;
            let answer = exchange(stream, &get.request(), get.body_limit)?;
            match redirect::next(get.to, get.security, &get.target, &answer) {
                Some(hop) if self.redirects == Redirects::AreFollowed => {
                    get = Self { to: hop.to, security: hop.security, target: hop.target, ..get };
                }
                _ => return Ok(answer),
            }
        }
        Err(io::Error::other("too many redirects"))
    }

    /// The status alone, for tables of cases: an error is shown as its text.
    pub fn status(&self) -> Result<u16, String> {
        self.send().map(|answer| answer.status).map_err(|error| error.to_string())
    }

    /// The request as Go writes it: Host, User-Agent, the others by name, Connection.
    fn request(&self) -> Vec<u8> {
        let host = self.first("Host").map_or(self.to.to_string().into_bytes(), <[u8]>::to_vec);
        let mut out = [b"GET ", &self.target[..], b" HTTP/1.1\r\n"].concat();
        line(&mut out, "Host", &host);
        let agent: &[u8] = match self.asker {
            Asker::Probe => b"kube-probe/1.36",
            Asker::Hook => b"kube-lifecycle/1.36",
        };
        self.own(&mut out, "User-Agent", agent);
        let mut others = self.others();
        if self.first("Accept").is_none() {
            others.push(("Accept".into(), b"*/*".to_vec()));
        }
        others.sort_by(|(a, _), (b, _)| a.cmp(b));
        others.iter().for_each(|(name, value)| line(&mut out, name, value));
        if self.asker == Asker::Probe {
            line(&mut out, "Connection", b"close");
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    fn own(&self, out: &mut Vec<u8>, name: &str, default: &[u8]) {
        let value = self.first(name).unwrap_or(default);
        if !value.is_empty() {
            line(out, name, value);
        }
    }

    fn others(&self) -> Vec<(String, Vec<u8>)> {
        let apart = |name: &str, value: &[u8]| {
            let own = |other: &str| name.eq_ignore_ascii_case(other);
            own("Host") || own("User-Agent") || (own("Accept") && value.is_empty())
        };
        let others = self.headers.iter().filter(|(name, value)| !apart(name, value));
        others.map(|(name, value)| (canonical(name), value.clone())).collect()
    }

    fn first(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| &v[..])
    }
}

fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// `x-custom-header` becomes `X-Custom-Header`.
fn canonical(name: &str) -> String {
    let mut start = true;
    let each = |c: char| {
        let c = if start { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        start = c == '-';
        c
    };
    name.chars().map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(get: Get) -> String {
        String::from_utf8(get.request()).unwrap()
    }

    #[test]
    fn a_probe_is_written_as_go_writes_it() {
        let get = Get::probe("10.0.0.7:80".parse().unwrap(), "/x?y")
            .header("x-second", "2")
            .header("ALPHA", "1");
        assert_eq!(
            written(get),
            "GET /x?y HTTP/1.1\r\nHost: 10.0.0.7:80\r\nUser-Agent: kube-probe/1.36\r\n\
             Accept: */*\r\nAlpha: 1\r\nX-Second: 2\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn a_hook_keeps_its_connection_and_overrides_replace() {
        let get = Get::hook("[::1]:80".parse().unwrap(), "/")
            .header("host", "a")
            .header("Host", "b")
            .header("user-agent", "")
            .header("accept", "");
        assert_eq!(written(get), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
}
