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
mod tests {
    use super::*;

    fn get(target: &str) -> Get {
        Get::probe("10.0.0.7:8080".parse().unwrap(), target)
    }

    fn written(get: &Get) -> String {
        String::from_utf8(get.bytes()).unwrap()
    }

    fn lead(get: &Get, location: &str) -> String {
        match get.next(302, Some(location.as_bytes())) {
            Ok(None) => "answer".to_string(),
            Ok(Some(next)) => {
                let (scheme, target) = (next.scheme().as_str(), next.target().escape_ascii());
                format!("{scheme} {} {target}", next.to())
            }
            Err(failure) => format!("{} {failure}", failure.reason.as_str()),
        }
    }

    fn follow(get: &Get, location: &str) -> Get {
        match get.next(302, Some(location.as_bytes())) {
            Ok(Some(next)) => *next,
            other => panic!("{location}: {other:?}"),
        }
    }

    #[test]
    fn a_probe_is_written_as_go_writes_it() {
        let get = get("/x?y").header("x-second", "2").header("ALPHA", "1").header("te", "");
        assert_eq!(
            written(&get),
            "GET /x?y HTTP/1.1\r\nHost: 10.0.0.7:8080\r\nUser-Agent: kube-probe/1.37\r\n\
             Accept: */*\r\nAlpha: 1\r\nTe: \r\nX-Second: 2\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn a_hook_keeps_its_connection_and_overrides_replace() {
        let hook = Get::hook("[::1]:80".parse().unwrap(), "/")
            .header("host", "a")
            .header("Host", "b")
            .header("user-agent", "")
            .header("accept", "")
            .header("content-length", "7");
        assert_eq!(written(&hook), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let own = get("/").header("Host", "").header("user-agent", "a");
        let own = own.header("accept", "b");
        assert_eq!(
            written(&own),
            "GET / HTTP/1.1\r\nHost: 10.0.0.7:8080\r\nUser-Agent: a\r\nAccept: b\r\n\
             Connection: close\r\n\r\n"
        );
    }

    #[test]
    fn a_recorded_probe() {
        let header =
            |name: &str, value: &str| HttpHeader { name: name.into(), value: value.into() };
        let http = HttpGet {
            path: "//u:p@x/a b?c".into(),
            port: 80,
            scheme: Some(Scheme::Https),
            headers: [header("x-a", "1")].into(),
            ..HttpGet::default()
        };
        let ip = "fd00::7".parse().unwrap();
        let get = Get::recorded(&http, ip).unwrap();
        assert_eq!((get.scheme(), get.to()), (Scheme::Https, "[fd00::7]:80".parse().unwrap()));
        assert_eq!(
            written(&get),
            "GET /a%20b?c HTTP/1.1\r\nHost: [fd00::7]:80\r\nUser-Agent: kube-probe/1.37\r\n\
             Accept: */*\r\nAuthorization: Basic dTpw\r\nX-A: 1\r\nConnection: close\r\n\r\n"
        );
        for (path, header) in [
            ("mailto:x", header("a", "b")),
            ("/", header("a", "b\r\nc: d")),
            ("/", header("a b", "")),
            ("/", header("Host", "\u{7f}")),
        ] {
            let http = HttpGet { path: path.into(), headers: [header].into(), ..http.clone() };
            let failure = Get::recorded(&http, ip).unwrap_err();
            assert_eq!(failure.reason, Reason::Config, "{failure}");
        }
    }

    #[test]
    fn locations() {
        let first = get("/a/b?q");
        for (location, leads) in [
            ("/x", "HTTP 10.0.0.7:8080 /x"),
            ("x?y", "HTTP 10.0.0.7:8080 /a/x?y"),
            ("../x", "HTTP 10.0.0.7:8080 /x"),
            ("?z", "HTTP 10.0.0.7:8080 /a/b?z"),
            ("#f", "HTTP 10.0.0.7:8080 /a/b?q"),
            ("http://10.0.0.7/x", "HTTP 10.0.0.7:80 /x"),
            ("https://10.0.0.7", "HTTPS 10.0.0.7:443 /"),
            ("https://10.0.0.7:8443/x", "HTTPS 10.0.0.7:8443 /x"),
            ("HTTP://10.0.0.7:0081/", "HTTP 10.0.0.7:81 /"),
            ("//10.0.0.7:81/x", "HTTP 10.0.0.7:81 /x"),
            ("http://10.0.0.8/", "answer"),
            ("http://localhost/", "answer"),
            ("http://10.0.0.7./", "answer"),
            ("http://[::ffff:10.0.0.7]/", "answer"),
            ("mailto:x", "answer"),
            ("file:///x", "answer"),
            ("", "answer"),
            ("http://10.0.0.7:99999/", "redirect redirect: no such port: http://10.0.0.7:99999/"),
            ("%zz", "redirect redirect: invalid percent-encoding in URL: %zz"),
            (":foo", "redirect redirect: missing scheme in URL: :foo"),
            ("ftp://10.0.0.7/", "redirect redirect: unknown scheme: ftp://10.0.0.7/"),
        ] {
            assert_eq!(lead(&first, location), leads, "{location}");
        }
    }

    #[test]
    fn only_five_codes_are_followed() {
        for status in 300..400 {
            let follows = matches!(get("/").next(status, Some(b"/x")), Ok(Some(_)));
            assert_eq!(follows, [301, 302, 303, 307, 308].contains(&status), "{status}");
        }
        assert!(matches!(get("/").next(302, None), Ok(None)));
    }

    #[test]
    fn the_tenth_redirect_fails() {
        let last = (0..9).fold(get("/"), |get, _| follow(&get, "/x"));
        assert_eq!(lead(&last, "/x"), "redirect stopped after 10 redirects");
        assert_eq!(lead(&last, "http://other/"), "answer");
    }

    #[test]
    fn what_goes_along_to_the_next_hop() {
        let first = get("/a?b").header("Host", "example.com").header("X-A", "1");
        for (location, host) in [
            ("/x", "example.com"),
            ("//10.0.0.7:81/", "example.com"),
            ("http://10.0.0.7:/", "10.0.0.7"),
        ] {
            let next = follow(&first, location);
            assert_eq!(next.host().escape_ascii().to_string(), host, "{location}");
            assert!(next.headers().contains(&("X-A", b"1".to_vec())), "{location}");
            let referer = ("Referer", b"http://10.0.0.7:8080/a?b".to_vec());
            assert!(next.headers().contains(&referer), "{location}: {:?}", next.headers());
        }
        let https = follow(&first, "https://u:p@10.0.0.7/");
        assert!(https.headers().contains(&("Authorization", b"Basic dTpw".to_vec())));
        let back = follow(&https, "http://10.0.0.7/");
        assert!(back.headers().iter().all(|(name, _)| *name != "Referer"));
    }
}
