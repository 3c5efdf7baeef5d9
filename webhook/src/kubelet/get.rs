//! `httpGet`, of a probe and of a lifecycle hook: the request, and where a redirect leads.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use base64::prelude::{BASE64_STANDARD, Engine};

use super::{Failure, agent};
use crate::probers::{HttpGet, HttpHeader, Scheme};
use crate::reason::Reason;
use crate::url::{self, Url};

/// So many redirects are followed; the next one fails (`RedirectChecker`).
const MAX_HOPS: u8 = 9;

const PROBE_AGENT: &str = agent!("kube-probe");
const HOOK_AGENT: &str = agent!("kube-lifecycle");

/// A GET as the kubelet sends it.
#[derive(Clone, Debug)]
pub struct Get {
    agent: &'static str,
    to: SocketAddr,
    scheme: Scheme,
    /// Scheme and host, and path and query where the target has them.
    url: Url,
    target: Vec<u8>,
    /// The probe's own.
    headers: Vec<(String, Vec<u8>)>,
    /// Whether the probe's own Host is still sent.
    keeps_host: bool,
    referer: Option<Vec<u8>>,
    /// How many redirects have led here.
    followed: u8,
}

impl Get {
    /// A probe, whose target goes out as it is: no keep-alive.
    pub fn probe(to: SocketAddr, target: impl Into<Vec<u8>>) -> Self {
        Self::new(PROBE_AGENT, to, target.into())
    }

    /// A lifecycle hook: keep-alive; it fails only where there is no answer.
    pub fn hook(to: SocketAddr, target: impl Into<Vec<u8>>) -> Self {
        Self::new(HOOK_AGENT, to, target.into())
    }

    fn new(agent: &'static str, to: SocketAddr, target: Vec<u8>) -> Self {
        let url = url::parse(&target).unwrap_or_default();
        let url = Url { scheme: lower(Scheme::Http), host: to.to_string().into_bytes(), ..url };
        Self {
            agent,
            to,
            scheme: Scheme::Http,
            url,
            target,
            headers: Vec::new(),
            keeps_host: true,
            referer: None,
            followed: 0,
        }
    }

    /// Over TLS.
    pub fn over_tls(mut self) -> Self {
        self.scheme = Scheme::Https;
        self.url.scheme = lower(Scheme::Https);
        self
    }

    /// The probe that is recorded so, of the pod with this address.
    ///
    /// # Errors
    /// The kubelet would send nothing: the path is none, or a header cannot be sent.
    pub fn recorded(http: &HttpGet, ip: IpAddr) -> Result<Self, Failure> {
        let url = url::of_probe_path(&http.path)
            .map_err(|error| Failure::new(Reason::Config, format!("httpGet.path: {error}")))?;
        let mut get = Self::probe(SocketAddr::new(ip, http.port), url.request_target());
        get.url.user = url.user;
        if http.scheme == Some(Scheme::Https) {
            get = get.over_tls();
        }
        get.with_headers(&http.headers)
    }

    /// With the probe's `httpHeaders`.
    ///
    /// # Errors
    /// Go's client sends none that is not valid, and so nothing.
    pub fn with_headers(mut self, headers: &[HttpHeader]) -> Result<Self, Failure> {
        for HttpHeader { name, value } in headers {
            if !is_name(name.as_bytes()) || !is_value(value.as_bytes()) {
                let text = format!("httpGet.httpHeaders: {name}: not valid");
                return Err(Failure::new(Reason::Config, text));
            }
            self = self.header(name, value.as_bytes());
        }
        Ok(self)
    }

    /// One of the probe's `httpHeaders`. `Host` overrides the Host, the first of two wins;
    /// a `User-Agent` or `Accept` replaces the kubelet's own, and an empty one leaves it out.
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((canonical(name), value.into()));
        self
    }

    /// Whether it is a lifecycle hook's.
    pub fn is_hook(&self) -> bool {
        self.agent == HOOK_AGENT
    }

    /// Where it goes.
    pub fn to(&self) -> SocketAddr {
        self.to
    }

    /// HTTP or HTTPS.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Path and query.
    pub fn target(&self) -> &[u8] {
        &self.target
    }

    /// The Host header.
    pub fn host(&self) -> &[u8] {
        let own = self.first("Host").filter(|host| self.keeps_host && !host.is_empty());
        own.unwrap_or_else(|| self.url.host.strip_suffix(b":").unwrap_or(&self.url.host))
    }

    /// All headers but Host and those of the connection, as Go writes them: User-Agent, then the others
    /// by name.
    pub fn headers(&self) -> Vec<(&str, Vec<u8>)> {
        let accept = self.first("Accept");
        let left_out = |name| NEVER_SENT.contains(&name) || name == "Accept" && accept == Some(b"");
        let own = self.headers.iter().map(|(name, value)| (&**name, value.clone()));
        let mut headers: Vec<_> = own.filter(|(name, _)| !left_out(*name)).collect();
        let mut add = |name, value: Option<Vec<u8>>| {
            headers.extend(value.filter(|_| self.first(name).is_none()).map(|value| (name, value)));
        };
        add("Accept", Some(b"*/*".to_vec()));
        add("Authorization", self.url.user.as_ref().map(|user| basic(user)));
        add("Referer", self.referer.clone());
        headers.sort_by_key(|(name, _)| *name);
        let agent = self.first("User-Agent").unwrap_or(self.agent.as_bytes());
        if !agent.is_empty() {
            headers.insert(0, ("User-Agent", agent.to_vec()));
        }
        headers
    }

    /// The request as it stands on the wire of HTTP/1.1.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = [b"GET ", &self.target[..], b" HTTP/1.1\r\n"].concat();
        let mut line = |name: &str, value: &[u8]| {
            out.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        };
        line("Host", self.host());
        for (name, value) in self.headers() {
            line(name, &value);
        }
        if !self.is_hook() {
            line("Connection", b"close");
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    /// What is asked after an answer with this status and this `Location`; `None`: that is final.
    ///
    /// # Errors
    /// The redirects are too many, or this one leads nowhere.
    pub fn next(&self, status: u16, location: Option<&[u8]>) -> Result<Option<Box<Self>>, Failure> {
        let location = location.unwrap_or_default();
        if !matches!(status, 301 | 302 | 303 | 307 | 308) || location.is_empty() {
            return Ok(None);
        }
        let fail = |why: &str| {
            let location = String::from_utf8_lossy(location);
            Failure::new(Reason::Redirect, format!("redirect: {why}: {location}"))
        };
        let reference = url::parse(location).map_err(|error| fail(&error.to_string()))?;
        let url = self.url.resolve(&reference);
        // The texts are compared: another way to write the same address is another host.
        if url.hostname() != self.url.hostname() {
            return Ok(None);
        }
        if self.followed >= MAX_HOPS {
            return Err(Failure::new(Reason::Redirect, "stopped after 10 redirects"));
        }
        let scheme = [Scheme::Http, Scheme::Https].into_iter().find(|it| lower(*it) == url.scheme);
        let scheme = scheme.ok_or_else(|| fail("unknown scheme"))?;
        let port = port(&url, scheme).ok_or_else(|| fail("no such port"))?;
        Ok(Some(Box::new(Self {
            to: SocketAddr::new(self.to.ip(), port),
            scheme,
            target: url.request_target(),
            // It survives relative redirects only.
            keeps_host: self.keeps_host && reference.scheme.is_empty(),
            referer: self.referer_to(scheme),
            followed: self.followed + 1,
            url,
            ..self.clone()
        })))
    }

    /// Go's client sends none from https to http.
    fn referer_to(&self, next: Scheme) -> Option<Vec<u8>> {
        let Url { scheme, host, path, query, .. } = &self.url;
        let mut from = [scheme.as_bytes(), b"://", host, path].concat();
        if let Some(query) = query {
            from.extend([b"?", &query[..]].concat());
        }
        (self.scheme == Scheme::Http || next == Scheme::Https).then_some(from)
    }

    fn first(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| &value[..])
    }
}

/// Go writes these itself, or not at all (`reqWriteExcludeHeader`).
const NEVER_SENT: [&str; 5] =
    ["Host", "User-Agent", "Content-Length", "Transfer-Encoding", "Trailer"];

/// What Go's client makes of a user in the URL.
fn basic(user: &[u8]) -> Vec<u8> {
    format!("Basic {}", BASE64_STANDARD.encode(user)).into_bytes()
}

fn lower(scheme: Scheme) -> String {
    scheme.as_str().to_ascii_lowercase()
}

fn port(url: &Url, scheme: Scheme) -> Option<u16> {
    match (url.port(), scheme) {
        (b"", Scheme::Http) => Some(80),
        (b"", Scheme::Https) => Some(443),
        (digits, _) => core::str::from_utf8(digits).ok()?.parse().ok().filter(|port| *port != 0),
    }
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

/// What may stand in a header's name.
pub(super) fn is_name(name: &[u8]) -> bool {
    let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    !name.is_empty() && name.iter().all(token)
}

/// What may stand in a header's value.
pub(super) fn is_value(value: &[u8]) -> bool {
    value.iter().all(|b| !b.is_ascii_control() || *b == b'\t')
}

#[cfg(test)]
mod tests;
