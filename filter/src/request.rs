//! The request that the app is sent: the one that the kubelet would have sent to the app itself.

use app_health_webhook::url::Url;

use crate::table::Wire;

/// The headers of a request, in order, with names in lower case.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    pub fn new(headers: Vec<(String, Vec<u8>)>) -> Self {
        Self(headers)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The first value of this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// Whether Envoy takes the request for a gRPC call. It then turns each local reply, the filter's
    /// too, into a gRPC status with the HTTP status 200.
    pub fn is_grpc(&self) -> bool {
        self.get("content-type").is_some_and(|value| value.starts_with(b"application/grpc"))
    }
}

/// A header of the client's request and its new value, or `None` to remove the header.
pub type HeaderChange = (String, Option<Vec<u8>>);

/// The part of a request's head that differs from hop to hop.
pub struct RequestHead<'a> {
    /// Path and query.
    pub target: &'a [u8],
    /// The Host header.
    pub authority: &'a [u8],
    pub wire: Wire,
    /// `Basic …`, from a user in the URL. A header that the client sends comes first.
    pub authorization: Option<&'a str>,
}

impl RequestHead<'_> {
    pub fn scheme(&self) -> &'static str {
        if self.wire == Wire::Https { "https" } else { "http" }
    }

    /// The headers of a dispatched request: pseudo-headers first, then the client's in their order.
    pub fn headers<'a>(&'a self, client: &'a Headers) -> Vec<(&'a str, &'a [u8])> {
        let own_proto = own_forwarded_proto(client);
        let named = client.get("connection").unwrap_or_default();
        let mut headers = self.pseudo_headers().to_vec();
        for (name, value) in client.iter() {
            match name {
                OWN_FORWARDED_PROTO => headers.extend(own_proto.map(|own| (FORWARDED_PROTO, own))),
                FORWARDED_PROTO => {}
                _ if name.starts_with(':') || is_dropped(named, name) => {}
                _ => headers.push((name, value)),
            }
        }
        headers.extend(self.own_headers(client));
        headers
    }

    /// The changes that make the client's request the one that is routed: first the headers to remove,
    /// then those to set. To set all headers anew would cost a probe 8,000 instructions more.
    pub fn changes(&self, client: &Headers) -> Vec<HeaderChange> {
        let named = client.get("connection").unwrap_or_default();
        let mut changes = Vec::with_capacity(8);
        for (name, _) in client.iter() {
            if name == OWN_FORWARDED_PROTO || is_dropped(named, name) {
                changes.push((name.to_owned(), None));
            }
        }
        let mut set = |name: &str, value: &[u8]| {
            changes.push((name.to_owned(), Some(value.to_vec())));
        };
        if let Some(value) = own_forwarded_proto(client) {
            set(FORWARDED_PROTO, value);
        }
        for (name, value) in self.pseudo_headers() {
            if client.get(name) != Some(value) {
                set(name, value);
            }
        }
        for (name, value) in self.own_headers(client) {
            set(name, value);
        }
        changes
    }

    fn pseudo_headers(&self) -> [(&str, &[u8]); 4] {
        [
            (":method", b"GET"),
            (":path", self.target),
            (":authority", self.authority),
            (":scheme", self.scheme().as_bytes()),
        ]
    }

    /// The headers that the client did not send.
    fn own_headers(&self, client: &Headers) -> Vec<(&'static str, &[u8])> {
        let mut headers = Vec::with_capacity(2);
        if let Some(value) = self.authorization.filter(|_| client.get("authorization").is_none()) {
            headers.push(("authorization", value.as_bytes()));
        }
        // HTTP/2, which an app over TLS may choose, has no such header; Envoy closes all the same.
        if self.wire == Wire::Http {
            headers.push(("connection", b"close"));
        }
        headers
    }
}

/// The listener keeps the client's own `x-forwarded-proto` under this name while Envoy routes.
const OWN_FORWARDED_PROTO: &str = "x-app-health-forwarded-proto";
/// Envoy's own has to stay until the request is routed; then the route removes it.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The `x-forwarded-proto` that the client sent, unless its `connection` header names it.
pub fn own_forwarded_proto(client: &Headers) -> Option<&[u8]> {
    let proto = client.get(OWN_FORWARDED_PROTO)?;
    let named = client.get("connection").unwrap_or_default();
    (!is_named(named, FORWARDED_PROTO)).then_some(proto)
}

/// Whether a header of the client is not sent to the app: Envoy's own, and those of one connection.
/// `named` is the client's `connection` header.
fn is_dropped(named: &[u8], name: &str) -> bool {
    match name.as_bytes().first() {
        // A request has to have its pseudo-headers.
        Some(b':') => false,
        // Most headers have another first letter, which saves 1,000 instructions of a kubelet's request.
        Some(b'c' | b'k' | b'p' | b't' | b'u') if HOP_BY_HOP.contains(&name) => true,
        Some(b'x') if name.starts_with("x-envoy-") => true,
        _ => name != FORWARDED_PROTO && is_named(named, name),
    }
}

/// The hop-by-hop headers of RFC 9110, section 7.6.1, and of the RFCs before it.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn is_named(named: &[u8], name: &str) -> bool {
    !named.is_empty()
        && named
            .split(|b| *b == b',')
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
}

/// An IP address and a port, as Envoy writes them: `10.0.0.7:80`, `[fd00::7]:80`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketAddress {
    /// Without brackets.
    pub ip: String,
    pub port: u16,
}

impl SocketAddress {
    pub fn parse(text: &str) -> Option<Self> {
        let colon = text.as_bytes().iter().rposition(|byte| *byte == b':')?;
        let (host, port) = (text.get(..colon)?, text.get(colon + 1..)?);
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let ip = bracketed.unwrap_or(host).to_owned();
        Some(Self { ip, port: port.parse().ok()? })
    }

    /// The text of the same IP address with another port.
    pub fn at(&self, port: u16) -> String {
        let (ip, port) = (&*self.ip, &*u32::from(port).to_string());
        if ip.contains(':') { ["[", ip, "]:", port].concat() } else { [ip, ":", port].concat() }
    }

    pub fn is_loopback(&self) -> bool {
        self.ip == "::1" || self.ip.starts_with("127.")
    }
}

/// The Host header that the app sees: the client's. Where that is one of the pod's `own` addresses with
/// the status port, it gets the app's port.
pub fn authority(
    client: &[u8],
    own: &[&SocketAddress],
    status_port: u16,
    app_port: u16,
) -> Vec<u8> {
    let swapped = own.iter().find(|address| address.at(status_port).as_bytes() == client);
    swapped.map_or_else(|| client.to_vec(), |address| address.at(app_port).into_bytes())
}

/// The `authorization` header for a URL with a user.
pub fn basic_authorization(url: &Url) -> Option<String> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("Basic ");
    for chunk in url.user.as_ref()?.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS.get((word >> (18 - 6 * at) & 63) as usize).copied().unwrap_or(b'A');
            text.push(if at > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use app_health_webhook::url::parse;

    fn client(headers: &[(&str, &str)]) -> Headers {
        Headers::new(headers.iter().map(|(n, v)| (n.to_string(), v.as_bytes().to_vec())).collect())
    }

    fn lines(headers: &[(&str, &[u8])]) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        headers.iter().map(|(name, value)| name.to_string() + "=" + &text(value)).collect()
    }

    /// The client's request once it is changed.
    fn changed(line: &RequestHead, client: &Headers) -> Vec<String> {
        let changes = line.changes(client);
        let mut headers: Vec<_> = client.iter().collect();
        for (name, value) in &changes {
            headers.retain(|(other, _)| other != name);
            headers.extend(value.as_ref().map(|value| (&**name, &**value)));
        }
        lines(&headers)
    }

    fn sent(headers: &[(&str, &str)], https: bool, authorization: Option<&str>) -> Vec<String> {
        let wire = if https { Wire::Https } else { Wire::Http };
        let line = RequestHead { target: b"/x?y", authority: b"10.0.0.7:80", wire, authorization };
        let client = client(headers);
        let dispatched = lines(&line.headers(&client));
        let mut routed = changed(&line, &client);
        if own_forwarded_proto(&client).is_none() {
            // Envoy's own, which the route removes.
            routed.retain(|line| !line.starts_with("x-forwarded-proto="));
        }
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        assert_eq!(sorted(routed), sorted(dispatched.clone()));
        dispatched
    }

    #[test]
    fn the_kubelets_headers_go_along() {
        assert_eq!(
            sent(
                &[
                    (":method", "HEAD"),
                    (":authority", "10.0.0.7:15020"),
                    ("user-agent", "kube-probe/1.37"),
                    ("connection", "close, X-Hop"),
                    ("x-hop", "1"),
                    ("accept", "*/*"),
                    ("te", "trailers"),
                    ("x-envoy-original-dst-host", "1.2.3.4:5"),
                    ("x-a", "1"),
                    ("x-a", "2"),
                    ("x-forwarded-proto", "http"),
                ],
                false,
                None
            ),
            [
                ":method=GET",
                ":path=/x?y",
                ":authority=10.0.0.7:80",
                ":scheme=http",
                "user-agent=kube-probe/1.37",
                "accept=*/*",
                "x-a=1",
                "x-a=2",
                "connection=close",
            ]
        );
    }

    #[test]
    fn a_probes_own_forwarded_proto_takes_the_place_of_envoys() {
        let headers = [("x-forwarded-proto", "http"), ("x-app-health-forwarded-proto", "https")];
        assert_eq!(sent(&headers, true, None)[3..], [":scheme=https", "x-forwarded-proto=https"]);
    }

    #[test]
    fn a_user_in_the_url_becomes_basic_authorization() {
        assert!(sent(&[], true, Some("Basic x")).contains(&"authorization=Basic x".to_owned()));
        let own = sent(&[("authorization", "y")], true, Some("Basic x"));
        assert_eq!(own[4..], ["authorization=y"]);
        for (url, value) in [
            ("//a@h/", "Basic YTo="),
            ("//ab:c@h/", "Basic YWI6Yw=="),
            ("//ab:cd@h/", "Basic YWI6Y2Q="),
            ("//abc:%ff%fe@h/", "Basic YWJjOv/+"),
        ] {
            assert_eq!(basic_authorization(&parse(url.as_bytes()).unwrap()).unwrap(), value);
        }
        assert_eq!(basic_authorization(&parse(b"/x").unwrap()), None);
    }

    #[test]
    fn only_the_pods_own_host_gets_the_apps_port() {
        let v4 = SocketAddress::parse("10.0.0.7:15020").unwrap();
        let v6 = SocketAddress::parse("[fd00::7]:15020").unwrap();
        for (host, result) in [
            ("10.0.0.7:15020", "10.0.0.7:80"),
            ("[fd00::7]:15020", "[fd00::7]:80"),
            ("10.0.0.7", "10.0.0.7"),
            ("10.0.0.7:15021", "10.0.0.7:15021"),
            ("10.0.0.8:15020", "10.0.0.8:15020"),
            ("example.com:15020", "example.com:15020"),
            ("", ""),
        ] {
            assert_eq!(authority(host.as_bytes(), &[&v4, &v6], 15020, 80), result.as_bytes());
        }
    }

    #[test]
    fn addresses() {
        for (text, ip, loopback) in [
            ("127.0.0.1:1", "127.0.0.1", true),
            ("[::1]:1", "::1", true),
            ("[fd00::7]:1", "fd00::7", false),
        ] {
            let address = SocketAddress::parse(text).unwrap();
            assert_eq!((address.ip.as_str(), address.is_loopback()), (ip, loopback));
            assert_eq!(address.at(1), text);
        }
        for text in ["", "x", "/run/x.sock", "10.0.0.7", "10.0.0.7:x"] {
            assert_eq!(SocketAddress::parse(text), None, "{text}");
        }
    }
}
