//! The request that the app gets, which is the one that the kubelet would have sent to the app itself.

use super::{
    HTTP, HTTP2, HTTPS, NO_TEXT, PRESTOPZ, READYZ, assert_failure, first, first_of, get, host,
    unasked, variable,
};
use crate::host::Host;
use crate::host::headers::Headers;
use crate::host::run::Via;

/// The headers that the client has sent, without those that the filter and the listener add.
fn own_lines(headers: &Headers) -> Vec<String> {
    let added = ["x-envoy-upstream-rq-timeout-ms", "connection", "x-forwarded-proto"];
    let is_own = |line: &String| {
        !line.starts_with(':') && !added.iter().any(|name| line.starts_with(&format!("{name}:")))
    };
    headers.lines().into_iter().filter(is_own).collect()
}

#[test]
fn over_http() {
    let sent = first(HTTP, get(READYZ));
    assert_eq!((sent.via, sent.cluster.as_str()), (Via::Router, "http"));
    assert_eq!(sent.destination, "10.0.0.7:8080");
    for line in [
        ":method: GET",
        ":path: /",
        ":authority: 10.0.0.7:8080",
        ":scheme: http",
        "connection: close",
        // Envoy adds this header, needs it to route a request, and removes it by the route.
        "x-forwarded-proto: http",
        "x-envoy-upstream-rq-timeout-ms: 1000",
    ] {
        assert_eq!(
            sent.headers.lines().iter().filter(|l| *l == line).count(),
            1,
            "{line}: {sent:?}"
        );
    }
    assert_eq!(own_lines(&sent.headers), ["user-agent: kube-probe/1.37", "accept: */*"]);
}

#[test]
fn over_https() {
    let sent = first(HTTPS, get(READYZ));
    assert_eq!((sent.via, sent.cluster.as_str()), (Via::Router, "https"));
    assert_eq!(sent.url(), "https://10.0.0.7:8080/");
    // An app on HTTP/2 would get it as a header.
    assert_eq!(sent.headers.get("connection"), None);
    assert_eq!(sent.headers.get("x-forwarded-proto").as_deref(), Some("http"));
}

#[test]
fn over_http2() {
    let sent = first(HTTP2, get(READYZ));
    assert_eq!((sent.via, sent.cluster.as_str()), (Via::Router, "http2"));
    assert_eq!(sent.url(), "http://10.0.0.7:8080/");
    // An app on HTTP/2 would take the request for malformed.
    assert_eq!(sent.headers.get("connection"), None);
    // The kubelet's lifecycle handlers ignore `protocol`.
    assert_eq!(first(HTTP2, get(PRESTOPZ)).cluster, "http");
    let http1 = r#"{"httpGet":{"port":8080,"protocol":"HTTP1"}}"#;
    assert_eq!(first(http1, get(READYZ)).cluster, "http");
    let tls = r#"{"httpGet":{"port":8080,"scheme":"HTTPS","protocol":"HTTP2"}}"#;
    let probe = host(tls).run(get(READYZ), unasked);
    assert_failure("", &probe, 500, "protocol");
}

#[test]
fn hooks_are_marked_for_the_listeners_own_replies() {
    for (path, marked) in
        [(READYZ, false), (PRESTOPZ, true), ("/app-lifecycle/app/poststartz", true)]
    {
        let mut host = host(HTTP);
        let id = host.request(get(path));
        assert_eq!(host.stream(id).set_property("app_health_hook").is_some(), marked, "{path}");
    }
}

#[test]
fn paths_by_the_kubelets_rules() {
    for (path, target) in [
        ("", "/"),
        ("/", "/"),
        ("/healthz", "/healthz"),
        ("healthz", "/healthz"),
        ("/x?y=z&z", "/x?y=z&z"),
        ("?x", "/?x"),
        ("/x?", "/x?"),
        ("/x#f", "/x"),
        ("/x?y#f", "/x?y"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%20b", "/a%20b"),
        ("/a b", "/a%20b"),
        ("/ä", "/%C3%A4"),
        (r#"/"<>\\^{|}`"#, "/%22%3C%3E%5C%5E%7B%7C%7D%60"),
        ("/%", "/%25"),
        ("/a%zz?b", "/a%25zz%3Fb"),
        ("//host/x", "/x"),
        ("http://h/x?y", "/x?y"),
        ("http://h", "/"),
        ("/a/../b/./c", "/a/../b/./c"),
        ("/a//b", "/a//b"),
        ("/a;b=c,d", "/a;b=c,d"),
    ] {
        let path_json = path.replace('"', "\\\"");
        let entry = format!(r#"{{"httpGet":{{"port":8080,"path":"{path_json}"}}}}"#);
        let sent = first(&entry, get(READYZ));
        assert_eq!(sent.headers.get(":path").as_deref(), Some(target), "{path}");
        assert_eq!(sent.destination, "10.0.0.7:8080", "{path}");
    }
}

/// The kubelet cannot send a request for these paths either.
#[test]
fn paths_that_fail() {
    for path in ["mailto:x", "http:x"] {
        let entry = format!(r#"{{"httpGet":{{"port":8080,"path":"{path}"}}}}"#);
        let probe = host(&entry).run(get(READYZ), unasked);
        assert!([500, 502].contains(&probe.status()), "{path}: {probe:?}");
        assert_failure(path, &probe, probe.status(), "path");
    }
}

#[test]
fn a_user_in_the_path() {
    for (path, authorization) in [
        ("http://user:pw@h/x", Some("Basic dXNlcjpwdw==")),
        ("http://user@h/x", Some("Basic dXNlcjo=")),
        ("//u%3A:p%40@h/x", Some("Basic dTo6cEA=")),
        ("/x", None),
    ] {
        let entry = format!(r#"{{"httpGet":{{"port":8080,"path":"{path}"}}}}"#);
        let sent = first(&entry, get(READYZ));
        assert_eq!(sent.headers.get("authorization").as_deref(), authorization, "{path}");
        let own = first(&entry, get(READYZ).header("authorization", "own"));
        assert_eq!(own.headers.get("authorization").as_deref(), Some("own"), "{path}");
        assert_eq!(own_lines(&own.headers).len(), 3, "{path}: {own:?}");
    }
}

#[test]
fn the_clients_headers_go_along() {
    let request = get(READYZ)
        .header("x-a", "1")
        .header("cookie", "c")
        .header("x-b", b"\xff\xfe")
        .header("x-a", "2")
        .header("accept-encoding", "br")
        .header("x-empty", "")
        .header("x-forwarded-for", "1.2.3.4")
        .header("x-a", "");
    let expected = [
        "user-agent: kube-probe/1.37",
        "accept: */*",
        "x-a: 1",
        "cookie: c",
        "x-b: \u{fffd}\u{fffd}",
        "x-a: 2",
        "accept-encoding: br",
        "x-empty: ",
        "x-forwarded-for: 1.2.3.4",
        "x-a: ",
    ];
    for entry in [HTTP, HTTPS] {
        let sent = first(entry, request.clone());
        assert_eq!(own_lines(&sent.headers), expected, "{entry}");
        assert_eq!(sent.headers.first(b"x-b"), Some(&b"\xff\xfe"[..]));
    }
}

#[test]
fn values_that_are_no_text() {
    for (name, seen) in [
        ("x-a", "x-a"),
        ("user-agent", "user-agent"),
        ("authorization", "authorization"),
        ("cookie", "cookie"),
        ("referer", "referer"),
        ("content-type", "content-type"),
        ("x-app-health-forwarded-proto", "x-forwarded-proto"),
    ] {
        for entry in [HTTP, HTTPS, HTTP2] {
            let sent = first(entry, get(READYZ).with(name, NO_TEXT));
            assert_eq!(sent.headers.first(seen.as_bytes()), Some(NO_TEXT), "{name} {entry}");
        }
    }
    let named = [NO_TEXT, b", x-a"].concat();
    let request = get(READYZ).with("connection", named).header("x-a", "1");
    assert_eq!(first(HTTP, request).headers.get("x-a"), None);
    for name in ["upgrade", "te", "content-length"] {
        assert_eq!(first(HTTPS, get(READYZ).header(name, NO_TEXT)).via, Via::Router);
    }
}

#[test]
fn no_hop_by_hop_headers() {
    for name in [
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-named",
        "X-Other",
    ] {
        for entry in [HTTP, HTTPS] {
            let request = get(READYZ)
                .with("connection", "close, X-Named , x-other,")
                .header(name, "x")
                .header("x-last", "1");
            let sent = first(entry, request);
            let lines = own_lines(&sent.headers);
            assert_eq!(
                lines,
                ["user-agent: kube-probe/1.37", "accept: */*", "x-last: 1"],
                "{name}"
            );
        }
    }
}

/// Without Envoy's own `x-forwarded-proto` no route matches, and the probe would fail for ever.
#[test]
fn the_connection_header_cannot_take_off_what_envoy_needs() {
    for named in ["x-forwarded-proto", ":path, :authority", ":method, :scheme", "host"] {
        for (host, authority) in [("10.0.0.7:15020", "10.0.0.7:8080"), ("of.its.own", "of.its.own")]
        {
            let request = get(READYZ).with(":authority", host).with("connection", named);
            let sent = first(HTTP, request);
            for (name, value) in [
                (":method", "GET"),
                (":path", "/"),
                (":scheme", "http"),
                (":authority", authority),
                ("x-forwarded-proto", "http"),
            ] {
                assert_eq!(sent.headers.get(name).as_deref(), Some(value), "{name}, {named}");
            }
        }
    }
}

#[test]
fn no_header_of_envoy_goes_along() {
    for name in [
        "x-envoy-original-dst-host",
        "x-envoy-upstream-rq-timeout-ms",
        "x-envoy-upstream-rq-per-try-timeout-ms",
        "x-envoy-retry-on",
        "x-envoy-upstream-alt-stat-name",
        "x-envoy-internal",
        "X-Envoy-Original-Path",
        "x-envoy-",
    ] {
        let sent = first(HTTP, get(READYZ).header(name, "60000"));
        let envoys: Vec<_> =
            sent.headers.lines().into_iter().filter(|line| line.starts_with("x-envoy")).collect();
        assert_eq!(envoys, ["x-envoy-upstream-rq-timeout-ms: 1000"], "{name}");
        assert_eq!(sent.destination, "10.0.0.7:8080", "{name}");
    }
}

/// The listener keeps the client's own header under another name while Envoy routes.
#[test]
fn the_clients_own_forwarded_proto() {
    for (entry, cluster) in [(HTTP, "http+xfp"), (HTTPS, "https+xfp")] {
        let request = get(READYZ).header("x-app-health-forwarded-proto", "https");
        let sent = first(entry, request);
        let lines = sent.headers.lines();
        let protos = lines.iter().filter(|line| line.contains("forwarded-proto"));
        let protos: Vec<_> = protos.map(String::as_str).collect();
        assert_eq!((protos, sent.cluster.as_str()), (vec!["x-forwarded-proto: https"], cluster));
    }
}

#[test]
fn the_host_that_the_app_sees() {
    const OVERRIDE: &str =
        r#"{"httpGet":{"port":8080,"httpHeaders":[{"name":"hOST","value":"x"}]}}"#;
    let v6 = "[fd00::7]:15020";
    for (entry, to, host, seen) in [
        (HTTP, "10.0.0.7:15020", "10.0.0.7:15020", "10.0.0.7:8080"),
        (HTTP, v6, v6, "[fd00::7]:8080"),
        (HTTP, v6, "10.0.0.7:15020", "10.0.0.7:15020"),
        (HTTP, "10.0.0.7:15020", "10.0.0.8:15020", "10.0.0.8:15020"),
        (HTTP, "10.0.0.7:15020", "10.0.0.7:15021", "10.0.0.7:15021"),
        (HTTP, "10.0.0.7:15020", "10.0.0.7", "10.0.0.7"),
        (HTTP, "10.0.0.7:15020", "example.com:15020", "example.com:15020"),
        (HTTP, "10.0.0.7:15020", "localhost:15020", "localhost:15020"),
        (HTTPS, "10.0.0.7:15020", "10.0.0.7:15020", "10.0.0.7:8080"),
        (OVERRIDE, "10.0.0.7:15020", "example.com", "example.com"),
        (OVERRIDE, "10.0.0.7:15020", "10.0.0.7:15020", "10.0.0.7:15020"),
        (OVERRIDE, "10.0.0.7:15020", "b\u{e4}d host", "b\u{e4}d host"),
    ] {
        let sent = first(entry, get(READYZ).to(to).with(":authority", host));
        assert_eq!(sent.headers.get(":authority").as_deref(), Some(seen), "{entry} {to} {host}");
    }
}

/// The status port may be another than the listener's, where something redirects from it.
#[test]
fn the_host_where_the_status_port_is_configured() {
    let mut host = Host::builder()
        .env("ISTIO_KUBE_APP_PROBERS", variable(HTTP))
        .plugin_config(r#"{"status_port":15020}"#)
        .build();
    let request = get(READYZ).to("10.0.0.7:25020").with(":authority", "10.0.0.7:15020");
    let sent = first_of(&mut host, request);
    assert_eq!(sent.headers.get(":authority").as_deref(), Some("10.0.0.7:8080"));
}

/// Each IP family is probed on its own.
#[test]
fn the_address_that_is_asked() {
    for (to, env, destination) in [
        ("10.0.0.7:15020", vec![], "10.0.0.7:8080"),
        ("10.0.0.7:15020", vec![("POD_IP", "10.0.0.9")], "10.0.0.7:8080"),
        ("[fd00::7]:15020", vec![("POD_IP", "10.0.0.9")], "[fd00::7]:8080"),
        ("127.0.0.1:15020", vec![], "127.0.0.1:8080"),
        ("[::1]:15020", vec![], "[::1]:8080"),
        ("127.0.0.1:15020", vec![("POD_IP", "10.0.0.9")], "10.0.0.9:8080"),
        ("127.1.2.3:15020", vec![("POD_IP", "10.0.0.9")], "10.0.0.9:8080"),
        ("[::1]:15020", vec![("POD_IP", "fd00::9")], "[fd00::9]:8080"),
        ("127.0.0.1:15020", vec![("INSTANCE_IP", "10.0.0.9")], "10.0.0.9:8080"),
        ("127.0.0.1:15020", vec![("POD_IP", ""), ("INSTANCE_IP", "10.0.0.9")], "10.0.0.9:8080"),
        (
            "127.0.0.1:15020",
            vec![("INSTANCE_IP", "10.0.0.8"), ("POD_IP", "10.0.0.9")],
            "10.0.0.9:8080",
        ),
        ("127.0.0.1:15020", vec![("POD_IP", "pod.local")], "127.0.0.1:8080"),
    ] {
        let mut builder = Host::builder();
        for (name, value) in &env {
            builder = builder.env(name, value);
        }
        let mut host = builder.env("ISTIO_KUBE_APP_PROBERS", variable(HTTP)).build();
        let sent = first_of(&mut host, get(READYZ).to(to));
        assert_eq!(sent.destination, destination, "{to} {env:?}");
        let own = sent.headers.get(":authority").expect("a Host");
        assert!(own.ends_with(":8080"), "{to} {env:?}: {own}");
    }
}

/// The listener may be on a Unix socket, or Envoy may not know its address.
#[test]
fn an_address_that_cannot_be_asked() {
    for address in ["/run/x.sock", "", "10.0.0.7", "x:80", "10.0.0.7:x", "10.0.0.7:99999"] {
        let request = get(READYZ).property("destination.address", address);
        let probe = host(HTTP).run(request, unasked);
        assert_failure(address, &probe, 500, "");
    }
    let request = get(READYZ).property("destination.address", NO_TEXT);
    assert_failure("no text", &host(HTTP).run(request, unasked), 500, "");
    let mut request = get(READYZ);
    request.properties.clear();
    assert_failure("absent", &host(HTTP).run(request, unasked), 500, "");
}
