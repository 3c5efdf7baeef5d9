//! The results are Go 1.26's own: `url.Parse`, then what the kubelet's `formatURL` and
//! `http.NewRequest` make of it; `(*url.URL).Parse` for redirects.

use super::host::is_ipv6;
use super::*;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn target(path: &str) -> String {
    of_probe_path(path).map_or_else(|error| error.to_string(), |url| text(&url.request_target()))
}

#[test]
fn request_targets_of_probes() {
    for (path, result) in [
        ("", "/"),
        ("/", "/"),
        ("healthz", "/healthz"),
        ("/healthz", "/healthz"),
        ("/a/../b/./c", "/a/../b/./c"),
        ("*", "/*"),
        // The query is sent raw, the fragment dropped.
        ("/x?y=1&z=a b", "/x?y=1&z=a b"),
        ("/x?", "/x?"),
        ("/x??", "/x??"),
        ("?q", "/?q"),
        ("/x#frag", "/x"),
        ("/x?y#frag", "/x?y"),
        ("#frag", "/"),
        // What Go would escape is escaped, what is escaped stays.
        ("/é", "/%C3%A9"),
        ("/a b", "/a%20b"),
        ("/\"<>\\^{|}`", "/%22%3C%3E%5C%5E%7B%7C%7D%60"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%2fb c", "/a/b%20c"),
        ("/%41", "/%41"),
        ("/!$&'()*+,;=:@[]-_.~", "/!$&'()*+,;=:@[]-_.~"),
        ("/! é", "/%21%20%C3%A9"),
        // What is no URL is all path.
        ("/%", "/%25"),
        ("/a%zz", "/a%25zz"),
        ("/a%zz?q", "/a%25zz%3Fq"),
        ("/x#%zz", "/x%23%25zz"),
        ("/a\tb", "/a%09b"),
        ("/a\u{7f}?b", "/a%7F%3Fb"),
        (":foo", "/:foo"),
        ("1a:b", "/1a:b"),
        ("//ho st/x", "//ho%20st/x"),
        ("//h:x/y", "//h:x/y"),
        ("//[zz]/y", "//%5Bzz%5D/y"),
        // A host is dropped.
        ("//host/x", "/x"),
        ("//host", "/"),
        ("///x", "///x"),
        ("http://h/x?y", "/x?y"),
        ("http://h", "/"),
        ("http:/x", "/x"),
        ("http:", "/"),
        ("//user:pw@h/x", "/x"),
        // No place for a host.
        ("a:b", "no host in URL"),
        ("mailto:x", "no host in URL"),
        ("http:x", "no host in URL"),
    ] {
        assert_eq!(target(path), result, "{path:?}");
    }
}

#[test]
fn a_user_is_kept_for_basic_authorization() {
    for (path, user) in [
        ("/x", None),
        ("//h/x", None),
        ("//u@h/x", Some("u:")),
        ("//u:p@h/x", Some("u:p")),
        ("//u:@h/x", Some("u:")),
        ("//u%3A1:p%40@h/x", Some("u:1:p@")),
        ("//a@b@h/x", Some("a@b:")),
    ] {
        let url = of_probe_path(path).unwrap();
        assert_eq!(url.user.map(|user| text(&user)).as_deref(), user, "{path}");
    }
}

#[test]
fn references_resolve_as_in_rfc_3986() {
    let base = parse(b"http://10.0.0.7:8080/b/c/d;p?q").unwrap();
    for (reference, scheme, hostname, port, target) in [
        ("g", "http", "10.0.0.7", "8080", "/b/c/g"),
        ("./g/", "http", "10.0.0.7", "8080", "/b/c/g/"),
        ("/g", "http", "10.0.0.7", "8080", "/g"),
        ("?y", "http", "10.0.0.7", "8080", "/b/c/d;p?y"),
        ("?", "http", "10.0.0.7", "8080", "/b/c/d;p?"),
        ("", "http", "10.0.0.7", "8080", "/b/c/d;p?q"),
        ("#s", "http", "10.0.0.7", "8080", "/b/c/d;p?q"),
        (";x", "http", "10.0.0.7", "8080", "/b/c/;x"),
        (".", "http", "10.0.0.7", "8080", "/b/c/"),
        ("..", "http", "10.0.0.7", "8080", "/b/"),
        ("../../../g", "http", "10.0.0.7", "8080", "/g"),
        ("/./g/../h", "http", "10.0.0.7", "8080", "/h"),
        ("/a/..//b", "http", "10.0.0.7", "8080", "/b"),
        ("g?y/../x", "http", "10.0.0.7", "8080", "/b/c/g?y/../x"),
        ("//g", "http", "g", "", "/"),
        ("//g:81/x", "http", "g", "81", "/x"),
        ("HTTPS://10.0.0.7:8443", "https", "10.0.0.7", "8443", "/"),
        ("https://[fd00::7]/x", "https", "fd00::7", "", "/x"),
        ("https://[fe80::1%25en0]:1/x", "https", "fe80::1%en0", "1", "/x"),
        ("http://h:/x", "http", "h", "", "/x"),
        ("ftp://h/x", "ftp", "h", "", "/x"),
        ("b2+c.d-e://h/x", "b2+c.d-e", "h", "", "/x"),
        ("file:///x", "file", "", "", "/x"),
    ] {
        let url = base.resolve(&parse(reference.as_bytes()).unwrap());
        let parts = (text(url.hostname()), text(url.port()), text(&url.request_target()));
        assert_eq!(url.scheme, scheme, "{reference}");
        assert_eq!(parts, (hostname.into(), port.into(), target.into()), "{reference}");
    }
}

#[test]
fn what_is_no_url() {
    for (text, error) in [
        ("\n", UrlError::ControlCharacter),
        ("/\u{7f}", UrlError::ControlCharacter),
        (":x", UrlError::MissingScheme),
        ("a b:c", UrlError::ColonInFirstSegment),
        ("2a:c", UrlError::ColonInFirstSegment),
        ("%zz", UrlError::Escape),
        ("/%1", UrlError::Escape),
        ("//%41/", UrlError::Escape),
        ("//a b/", UrlError::Host),
        ("//a[b]/", UrlError::Host),
        ("http://[1.2.3.4]/", UrlError::Host),
        ("http://[::1", UrlError::Host),
        ("http://[]/", UrlError::Host),
        ("http://h:x/", UrlError::Port),
        ("http://a:1:2/", UrlError::Port),
        ("http://[::1]x/", UrlError::Port),
        ("http://a b@h/", UrlError::User),
    ] {
        assert_eq!(parse(text.as_bytes()), Err(error), "{text:?}");
    }
    // Bytes beyond ASCII are no error, in UTF-8 or not.
    assert_eq!(text(&parse(b"/\xff?\xff").unwrap().path), "/%FF");
    assert_eq!(parse(b"/?\xff").unwrap().query.unwrap(), b"\xff");
}

/// The standard library is the oracle.
#[test]
fn ipv6_addresses() {
    for text in [
        "::",
        "::1",
        "1::",
        "fd00::7",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7::",
        "1:2:3:4:5:6:7:8::",
        "::2:3:4:5:6:7:8",
        "1::2::3",
        ":::",
        ":",
        "",
        ":1",
        "1:",
        "12345::",
        "g::",
        "::ffff:1.2.3.4",
        "1:2:3:4:5:6:1.2.3.4",
        "1.2.3.4::",
        "1.2.3.4",
        "::1.2.3",
        "::1.2.3.4.5",
        "::1.2.3.256",
        "::1.2.3.99999999999999999999",
        "::01.2.3.4",
        "::1.2.3.4:5",
        "::1.2..4",
        "::0.0.0.0",
    ] {
        let oracle = text.parse::<std::net::Ipv6Addr>().is_ok();
        assert_eq!(is_ipv6(text.as_bytes()), oracle, "{text}");
    }
}
