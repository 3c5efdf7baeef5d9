//! What a later hop of a redirect is asked with: its headers, its Host, its Referer.

use super::{
    HTTP, HTTP2, HTTPS, NO_TEXT, READYZ, assert_failure, assert_status, host, redirected_of,
};
use crate::host::Request;
use crate::host::app::App;
use crate::host::headers::Headers;
use crate::host::run::Ask;

/// Without a path the URL has none either, as the kubelet's Referer shows.
const HTTPS_ROOT: &str = r#"{"httpGet":{"port":8080,"path":"/","scheme":"HTTPS"}}"#;
const ENTRY: &str = r#"{"httpGet":{"port":8080,"path":"/a/b?q"}}"#;

/// Envoy takes no more than 1,024 for a dispatched call.
#[test]
fn more_headers_than_can_be_sent() {
    for (count, status) in [(1000, 204), (1020, 500), (5000, 500)] {
        let add = |request: Request, n| request.header(format!("x-{n}"), "1");
        let request = (0..count).fold(Request::get(READYZ), add);
        let probe = redirected_of(&mut host(HTTP), request, b"/x");
        match status {
            204 => assert_status("as many", &probe, 204),
            _ => assert_failure("more", &probe, status, "redirect"),
        }
    }
}

/// Names and values of the second request, without those that only choose its way.
fn second(entry: &str, request: Request, location: &str) -> Ask {
    let probe = redirected_of(&mut host(entry), request, location.as_bytes());
    assert_eq!(probe.asks.len(), 2, "{location}: {probe:#?}");
    probe.asks[1].clone()
}

#[test]
fn the_headers_of_a_hop() {
    let request = Request::get(READYZ)
        .header("x-a", "1")
        .header("authorization", "own")
        .header("x-envoy-original-dst-host", "1.2.3.4:5")
        .header("te", "x")
        .header("x-a", "2");
    let ask = second(ENTRY, request, "http://10.0.0.7:81/x");
    let mut lines = ask.headers.lines();
    lines.retain(|line| !line.starts_with(':'));
    lines.sort();
    assert_eq!(
        lines,
        [
            "accept: */*",
            "authorization: own",
            "connection: close",
            "referer: http://10.0.0.7:8080/a/b?q",
            "user-agent: kube-probe/1.36",
            "x-a: 1",
            "x-a: 2",
            "x-envoy-original-dst-host: 10.0.0.7:81",
        ]
    );
    let https = second(HTTP, Request::get(READYZ), "https://10.0.0.7:81/x");
    assert_eq!(https.headers.get("connection"), None, "it may be HTTP/2");
    let own_proto = Request::get(READYZ).header("x-app-health-forwarded-proto", "https");
    let own_proto = second(HTTP, own_proto, "/x");
    assert_eq!(own_proto.headers.get("x-forwarded-proto").as_deref(), Some("https"));
    assert_eq!(own_proto.headers.get("x-app-health-forwarded-proto"), None);
}

/// Such a value goes along whole, or its header is left out: the SDK sends nothing but text.
fn without_no_text(ask: &Ask) -> Vec<String> {
    let (no_text, text): (Vec<_>, Vec<_>) =
        ask.headers.pairs().iter().partition(|(_, value)| std::str::from_utf8(value).is_err());
    assert!(no_text.iter().all(|(_, value)| value.ends_with(NO_TEXT)), "{ask:?}");
    Headers::of(text.into_iter().cloned()).lines()
}

#[test]
fn values_that_are_no_text() {
    let plain = Request::get(READYZ).header("x-a", "1").header("x-c", "2");
    let request = Request::get(READYZ).header("x-a", "1").header("x-b", NO_TEXT).header("x-c", "2");
    for entry in [HTTP, HTTPS, HTTP2] {
        let expected = second(entry, plain.clone(), "/x").headers.lines();
        assert_eq!(without_no_text(&second(entry, request.clone(), "/x")), expected, "{entry}");
    }
    for name in ["user-agent", "authorization", "referer", "x-app-health-forwarded-proto"] {
        let ask = second(HTTP, plain.clone().with(name, NO_TEXT), "/x");
        for line in ["x-a: 1", "x-c: 2", "accept: */*"] {
            assert!(without_no_text(&ask).contains(&line.to_owned()), "{name}: {ask:?}");
        }
    }
}

#[test]
fn the_host_of_a_hop() {
    const OVERRIDE: &str =
        r#"{"httpGet":{"port":8080,"httpHeaders":[{"name":"Host","value":"example.com"}]}}"#;
    let plain = Request::get(READYZ);
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
        let ask = second(entry, request.clone(), location);
        assert_eq!(ask.headers.get(":authority").as_deref(), Some(host), "{location}");
    }
}

/// Relative, absolute, relative: once lost, the override does not come back.
#[test]
fn a_host_override_is_lost_for_good() {
    let entry =
        r#"{"httpGet":{"port":8080,"httpHeaders":[{"name":"Host","value":"example.com"}]}}"#;
    let request = Request::get(READYZ).with(":authority", "example.com");
    let locations = ["/1", "http://10.0.0.7:81/2", "/3"];
    let mut next = locations.into_iter();
    let probe = host(entry).run(request, |_| match next.next() {
        Some(location) => App::redirects(307, location),
        None => App::answers(200),
    });
    let hosts = probe.asks.iter().filter_map(|ask| ask.headers.get(":authority"));
    let hosts: Vec<_> = hosts.collect();
    assert_eq!(hosts, ["example.com", "example.com", "10.0.0.7:81", "10.0.0.7:81"]);
    assert_eq!(probe.urls()[3], "http://10.0.0.7:81/3");
}

#[test]
fn referers() {
    let own = Request::get(READYZ).header("referer", "own");
    for (entry, request, location, referer) in [
        (ENTRY, Request::get(READYZ), "/x", Some("http://10.0.0.7:8080/a/b?q")),
        (ENTRY, Request::get(READYZ), "https://10.0.0.7/x", Some("http://10.0.0.7:8080/a/b?q")),
        (HTTPS_ROOT, Request::get(READYZ), "/x", Some("https://10.0.0.7:8080/")),
        (HTTPS, Request::get(READYZ), "/x", Some("https://10.0.0.7:8080")),
        (HTTPS, Request::get(READYZ), "http://10.0.0.7/x", None),
        (ENTRY, own.clone(), "/x", Some("own")),
        (HTTPS, own, "http://10.0.0.7/x", Some("own")),
    ] {
        let ask = second(entry, request, location);
        assert_eq!(ask.headers.get("referer").as_deref(), referer, "{entry} {location}");
        let count = ask.headers.lines().iter().filter(|line| line.starts_with("referer")).count();
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
        let ask = second(entry, Request::get(READYZ), location);
        assert_eq!(ask.headers.get("authorization").as_deref(), authorization, "{location}");
        let referer = ask.headers.get("referer").expect("one");
        assert!(!referer.contains("u:p"), "no password in a Referer: {referer}");
    }
}
