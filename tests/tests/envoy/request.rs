use app_health_tests::app::{Closed, Grpc, Health, Http, Request, Script, V4};
use app_health_tests::entries::{Entries, grpc, http, http_with, probe, tcp, within};
use app_health_tests::envoy::{LIMIT, Setup};
use app_health_tests::kubelet::{Get, send_bytes};

use super::expected::envoy;

fn app() -> Http {
    Http::start(V4, |_| Script::status(200))
}

fn only(app: &Http) -> Request {
    let [request] = &app.seen()[..] else { panic!("one request, not {:?}", app.seen()) };
    request.clone()
}

#[test]
fn the_app_sees_the_kubelets_request_and_nothing_of_envoys() {
    let app = app();
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), "/x")));
    let get = envoy.get(probe("c")).header("X-Custom-Header", "hello").header("X-Twice", "1");
    assert_eq!(get.header("X-Twice", "2").status(), Ok(200));
    let request = only(&app);
    assert_eq!((&request.method[..], &request.version[..]), ("GET", "HTTP/1.1"));
    assert_eq!(request.peer.ip().to_string(), "127.0.0.6");
    let host = format!("Host: {}", app.addr());
    assert_eq!(
        request.lines(),
        [
            &host[..],
            "User-Agent: kube-probe/1.37",
            "Accept: */*",
            "X-Custom-Header: hello",
            "X-Twice: 1",
            "X-Twice: 2",
            "Connection: close",
        ]
    );
}

#[test]
fn the_target_is_the_one_that_the_kubelet_would_ask_for() {
    let app = app();
    let cases = [
        ("", "/"),
        ("/", "/"),
        ("ready", "/ready"),
        ("/a?b=c&d", "/a?b=c&d"),
        ("/a?b c#d", "/a?b c"),
        ("/a b", "/a%20b"),
        ("/ä", "/%C3%A4"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%zz?b", "/a%25zz%3Fb"),
        ("//host/x", "/x"),
        ("http://h/x?y", "/x?y"),
        ("/a/../b/./c//d", "/a/../b/./c//d"),
    ];
    let name = |n: usize| format!("c{n}");
    let entries = cases.iter().enumerate().fold(Entries::default(), |entries, (n, (path, _))| {
        entries.probe(&name(n), http(app.addr(), path))
    });
    let envoy = envoy(entries);
    for (n, (path, target)) in cases.iter().enumerate() {
        let status = envoy.get(probe(&name(n))).status();
        let seen = app.seen().last().map(|request| request.target.clone());
        assert_eq!((status, seen.as_deref()), (Ok(200), Some(*target)), "{path}");
    }
}

#[test]
fn the_host_is_the_one_that_the_kubelet_would_send() {
    let app = app();
    let envoy = envoy(
        Entries::default()
            .probe("plain", http(app.addr(), "/"))
            .probe("override", http_with(app.addr(), "/", &[("Host", "example.com")])),
    );
    let (own, status_port) = (app.addr().to_string(), envoy.addr().port());
    let named = format!("example.com:{status_port}");
    for (container, sent, seen) in [
        ("plain", envoy.addr().to_string(), &own),
        ("plain", named.clone(), &named),
        ("override", "example.com".to_owned(), &"example.com".to_owned()),
        ("override", named.clone(), &named),
    ] {
        assert_eq!(envoy.get(probe(container)).header("Host", &sent[..]).status(), Ok(200));
        let request = app.seen().pop().unwrap();
        assert_eq!(request.header("host").as_ref(), Some(seen), "{container} {sent}");
    }
}

#[test]
fn the_kubelets_headers_may_be_replaced_or_left_out() {
    let app = app();
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), "/")));
    let get = envoy.get(probe("c")).header("User-Agent", "").header("Accept", "");
    assert_eq!(get.header("X-Forwarded-Proto", "https").status(), Ok(200));
    let host = format!("Host: {}", app.addr());
    let request = only(&app);
    assert_eq!(request.lines(), [&host[..], "X-Forwarded-Proto: https", "Connection: close"]);
}

/// Whatever the names are that the API server takes: letters, digits and hyphens.
#[test]
fn header_names_arrive_as_the_kubelet_writes_them() {
    let sent = ["1st", "2ND-try", "-Led", "X--Two", "X-1a-B2c", "Etag", "X-CUSTOM", "ending-"];
    let app = app();
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), "/")));
    let get = sent.iter().fold(envoy.get(probe("c")), |get, name| get.header(name, "1"));
    assert_eq!(get.status(), Ok(200));
    let seen = only(&app).lines();
    for name in ["1st", "2nd-Try", "-Led", "X--Two", "X-1a-B2c", "Etag", "X-Custom", "Ending-"] {
        assert!(seen.contains(&format!("{name}: 1")), "{name}: {seen:?}");
    }
}

/// Those that Envoy would take off or answer itself, were it not told to leave them.
#[test]
fn headers_that_proxies_are_wont_to_change_arrive_as_sent() {
    let sent = [
        ("Cookie", "a=b"),
        ("Expect", "100-continue"),
        ("Forwarded", "for=1.2.3.4"),
        ("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("Via", "1.1 elsewhere"),
        ("X-Forwarded-Client-Cert", "By=spiffe://a;Hash=b"),
        ("X-Forwarded-For", "1.2.3.4"),
        ("X-Real-Ip", "1.2.3.4"),
        ("X-Request-Id", "abc"),
    ];
    let app = app();
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), "/")));
    let get =
        sent.iter().fold(envoy.get(probe("c")), |get, (name, value)| get.header(name, *value));
    assert_eq!(get.status(), Ok(200));
    let seen = only(&app).lines();
    for (name, value) in sent {
        assert!(seen.contains(&format!("{name}: {value}")), "{name}: {seen:?}");
    }
}

/// The app is asked, though without what makes it an upgrade: those headers are of one hop.
#[test]
fn an_upgrade_is_asked_for_as_a_plain_get() {
    let app = app();
    let closed = Closed::start(V4);
    let envoy = envoy(
        Entries::default()
            .probe("c", http(app.addr(), "/ws"))
            .probe("closed", http(closed.addr(), "/"))
            .probe("tcp", tcp(closed.addr())),
    );
    let request = |name: &str| {
        let head = format!(
            "GET {} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: x\r\n\r\n",
            probe(name)
        );
        let answer = send_bytes(envoy.addr(), head.as_bytes(), LIMIT);
        String::from_utf8_lossy(&answer.expect("an answer"))[9..12].to_owned()
    };
    assert_eq!(["c", "closed", "tcp", "unknown"].map(request), ["200", "500", "500", "400"]);
    let seen = only(&app);
    assert_eq!((&seen.target[..], seen.header("sec-websocket-key").as_deref()), ("/ws", Some("x")));
}

/// Where a deployment limits how long a request may take to come, Envoy answers by itself: one for an upgrade
/// never ends.
#[test]
fn envoys_own_answer_while_a_call_is_awaited_is_whole() {
    let app = Grpc::start(V4, Health::Silent);
    let entries = Entries::default().probe("c", within(9, grpc(app.addr(), None)));
    let limit = |config: &str| {
        let line = "request_headers_timeout: 2s\n";
        assert_eq!(config.matches(line).count(), 1);
        config.replace(line, &format!("{line}          request_timeout: 2s\n"))
    };
    let envoy = Setup::default().probers(entries).edited(limit).start();
    let head = format!(
        "GET {} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        probe("c")
    );
    let answer = send_bytes(envoy.addr(), head.as_bytes(), LIMIT);
    let answer = String::from_utf8(answer.expect("an answer")).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert_eq!((&head[9..12], body), ("408", "request timeout"), "{answer}");
}

#[test]
fn no_header_of_envoys_or_of_a_hop_goes_along() {
    let app = app();
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), "/")));
    let get = [
        ("X-Envoy-Original-Dst-Host", "127.0.0.1:1"),
        ("X-Envoy-Upstream-Rq-Timeout-Ms", "1"),
        ("X-Envoy-Max-Retries", "3"),
        ("X-App-Health-Forwarded-Proto", "https"),
        ("Te", "trailers"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
    ]
    .iter()
    .fold(envoy.get(probe("c")), |get, (name, value)| get.header(name, *value));
    assert_eq!(get.status(), Ok(200));
    let host = format!("Host: {}", app.addr());
    let lines = [&host[..], "User-Agent: kube-probe/1.37", "Accept: */*", "Connection: close"];
    assert_eq!(only(&app).lines(), lines);
}

#[test]
fn the_pods_address_is_asked_where_the_probe_came_to_loopback() {
    let pod_ip = "127.0.0.5".parse().unwrap();
    let app = Http::start(pod_ip, |_| Script::status(200));
    let entries = Entries::default().probe("c", http(app.addr(), "/"));
    let without = envoy(entries.clone());
    // Nothing listens there on 127.0.0.1; 127.0.0.5 is asked where the kubelet connects to it.
    assert_eq!(without.get(probe("c")).status(), Ok(500));
    let there = Get::probe(without.addr_on(pod_ip), probe("c")).timeout(LIMIT);
    assert_eq!(there.status(), Ok(200));
    let with = Setup::default().probers(entries.patient()).pod_ip(pod_ip).start();
    assert_eq!(with.get(probe("c")).status(), Ok(200));
}
