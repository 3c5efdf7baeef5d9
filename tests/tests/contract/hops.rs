//! The request for a later hop of a redirect: its headers, its Host, its Referer.

use super::{
    HTTP, HTTP2, HTTPS, NO_TEXT, READYZ, assert_failure, assert_status, get, host, redirected_of,
};
use crate::host::DownstreamRequest;
use crate::host::app::App;
use crate::host::headers::Headers;
use crate::host::run::UpstreamRequest;

/// A probe without a path has a URL without one, which its Referer shows; this entry has the path `/`.
const HTTPS_ROOT: &str = r#"{"httpGet":{"port":8080,"path":"/","scheme":"HTTPS"}}"#;
const ENTRY: &str = r#"{"httpGet":{"port":8080,"path":"/a/b?q"}}"#;

/// Envoy takes no more than 1,024 headers for a dispatched call.
#[test]
fn more_headers_than_can_be_sent() {
    for (count, status) in [(1000, 204), (1020, 500), (5000, 500)] {
        let add = |request: DownstreamRequest, n| request.header(format!("x-{n}"), "1");
        let request = (0..count).fold(get(READYZ), add);
        let probe = redirected_of(&mut host(HTTP), request, b"/x");
        match status {
            204 => assert_status("as many", &probe, 204),
            _ => assert_failure("more", &probe, status, "redirect"),
        }
    }
}

/// The second request, after a redirect to `location`.
fn second(entry: &str, request: DownstreamRequest, location: &str) -> UpstreamRequest {
    let probe = redirected_of(&mut host(entry), request, location.as_bytes());
    assert_eq!(probe.sent.len(), 2, "{location}: {probe:#?}");
    probe.sent[1].clone()
}

#[test]
fn the_headers_of_a_hop() {
    let request = get(READYZ)
        .header("x-a", "1")
        .header("authorization", "own")
        .header("x-envoy-original-dst-host", "1.2.3.4:5")
        .header("te", "x")
        .header("x-a", "2");
    let sent = second(ENTRY, request, "http://10.0.0.7:81/x");
    let mut lines = sent.headers.lines();
    lines.retain(|line| !line.starts_with(':'));
    lines.sort();
    assert_eq!(
        lines,
        [
            "accept: */*",
            "authorization: own",
            "connection: close",
            "referer: http://10.0.0.7:8080/a/b?q",
            "user-agent: kube-probe/1.37",
            "x-a: 1",
            "x-a: 2",
            "x-envoy-original-dst-host: 10.0.0.7:81",
        ]
    );
    let https = second(HTTP, get(READYZ), "https://10.0.0.7:81/x");
    assert_eq!(https.headers.get("connection"), None, "it may be HTTP/2");
    let own_proto = get(READYZ).header("x-app-health-forwarded-proto", "https");
    let own_proto = second(HTTP, own_proto, "/x");
    assert_eq!(own_proto.headers.get("x-forwarded-proto").as_deref(), Some("https"));
    assert_eq!(own_proto.headers.get("x-app-health-forwarded-proto"), None);
}

/// The headers whose values are text. Any other value is sent whole, or its header is left out, since
/// the SDK sends only text.
fn without_no_text(sent: &UpstreamRequest) -> Vec<String> {
    let (no_text, text): (Vec<_>, Vec<_>) =
        sent.headers.pairs().iter().partition(|(_, value)| std::str::from_utf8(value).is_err());
    assert!(no_text.iter().all(|(_, value)| value.ends_with(NO_TEXT)), "{sent:?}");
    Headers::of(text.into_iter().cloned()).lines()
}

#[test]
fn values_that_are_no_text() {
    let plain = get(READYZ).header("x-a", "1").header("x-c", "2");
    let request = get(READYZ).header("x-a", "1").header("x-b", NO_TEXT).header("x-c", "2");
    for entry in [HTTP, HTTPS, HTTP2] {
        let expected = second(entry, plain.clone(), "/x").headers.lines();
        assert_eq!(without_no_text(&second(entry, request.clone(), "/x")), expected, "{entry}");
    }
    for name in ["user-agent", "authorization", "referer", "x-app-health-forwarded-proto"] {
        let sent = second(HTTP, plain.clone().with(name, NO_TEXT), "/x");
        for line in ["x-a: 1", "x-c: 2", "accept: */*"] {
            assert!(without_no_text(&sent).contains(&line.to_owned()), "{name}: {sent:?}");
        }
    }
}

#[test]
fn the_host_of_a_hop() {
    const OVERRIDE: &str =
        r#"{"httpGet":{"port":8080,"httpHeaders":[{"name":"Host","value":"example.com"}]}}"#;
    let plain = get(READYZ);
    let overridden = plain.clone().with(":authority", "example.com");
    for (entry, request, location, host) in [
        (HTTP, &plain, "/x", "10.0.0.7:8080"),
        (HTTP, &plain, "http://10.0.0.7:81/", "10.0.0.7:81"),
        (HTTP, &plain, "http://10.0.0.7/", "10.0.0.7"),
        (HTTP, &plain, "http://10.0.0.7:/", "10.0.0.7"),
        (HTTP, &plain, "https://10.0.0.7/", "10.0.0.7"),
        (OVERRIDE, &overridden, "/x", "example.com"),
        (OVERRIDE, &overridden, "//10.0.0.7:81/x", "example.com"),
        (OVERRIDE, &overridden, "http://10.0.0.7:8080/", "10.0.0.7:8080"),
        (OVERRIDE, &overridden, "http://10.0.0.7:81/", "10.0.0.7:81"),
    ] {
        let sent = second(entry, request.clone(), location);
        assert_eq!(sent.headers.get(":authority").as_deref(), Some(host), "{location}");
    }
}

/// An absolute redirect loses the probe's own Host for all later hops.
#[test]
fn a_host_override_is_lost_for_good() {
    let entry =
        r#"{"httpGet":{"port":8080,"httpHeaders":[{"name":"Host","value":"example.com"}]}}"#;
    let request = get(READYZ).with(":authority", "example.com");
    let locations = ["/1", "http://10.0.0.7:81/2", "/3"];
    let mut next = locations.into_iter();
    let probe = host(entry).run(request, |_| match next.next() {
        Some(location) => App::redirects(307, location),
        None => App::answers(200),
    });
    let hosts = probe.sent.iter().filter_map(|sent| sent.headers.get(":authority"));
    let hosts: Vec<_> = hosts.collect();
    assert_eq!(hosts, ["example.com", "example.com", "10.0.0.7:81", "10.0.0.7:81"]);
    assert_eq!(probe.urls()[3], "http://10.0.0.7:81/3");
}

#[test]
fn referers() {
    let own = get(READYZ).header("referer", "own");
    for (entry, request, location, referer) in [
        (ENTRY, get(READYZ), "/x", Some("http://10.0.0.7:8080/a/b?q")),
        (ENTRY, get(READYZ), "https://10.0.0.7/x", Some("http://10.0.0.7:8080/a/b?q")),
        (HTTPS_ROOT, get(READYZ), "/x", Some("https://10.0.0.7:8080/")),
        (HTTPS, get(READYZ), "/x", Some("https://10.0.0.7:8080")),
        (HTTPS, get(READYZ), "http://10.0.0.7/x", None),
        (ENTRY, own.clone(), "/x", Some("own")),
        (HTTPS, own, "http://10.0.0.7/x", Some("own")),
    ] {
        let sent = second(entry, request, location);
        assert_eq!(sent.headers.get("referer").as_deref(), referer, "{entry} {location}");
        let count = sent.headers.lines().iter().filter(|line| line.starts_with("referer")).count();
        assert_eq!(count, usize::from(referer.is_some()), "{entry} {location}");
    }
}

#[test]
fn a_user_in_a_location() {
    let entry = r#"{"httpGet":{"port":8080,"path":"http://u:p@h/a"}}"#;
    for (entry, location, authorization) in [
        (HTTP, "http://u:p@10.0.0.7:8080/x", Some("Basic dTpw")),
        (HTTP, "/x", None),
        (entry, "/x", Some("Basic dTpw")),
        (entry, "http://10.0.0.7:8080/x", None),
    ] {
        let sent = second(entry, get(READYZ), location);
        assert_eq!(sent.headers.get("authorization").as_deref(), authorization, "{location}");
        let referer = sent.headers.get("referer").expect("one");
        assert!(!referer.contains("u:p"), "no password in a Referer: {referer}");
    }
}
