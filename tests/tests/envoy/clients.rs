use app_health_tests::app::{Closed, Http, Script, V4};
use app_health_tests::entries::{Entries, http, probe};
use app_health_tests::envoy::{Envoy, LIMIT};
use app_health_tests::kubelet::send_bytes;
use app_health_tests::poll::until;

use super::SECOND;
use super::expected::envoy;

/// The status that these bytes are answered with; 0: none.
fn status(envoy: &Envoy, bytes: &[u8]) -> u16 {
    let answer = send_bytes(envoy.addr(), bytes, LIMIT).unwrap_or_default();
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn request(line: &str, headers: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}\r\n").into_bytes()
}

#[test]
fn methods_and_bodies() {
    let app = Http::start(V4, |_| Script::status(200));
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), "/")));
    let path = probe("c");
    for (method, headers, wanted) in [
        ("GET", "", 200),
        ("HEAD", "", 200),
        ("POST", "Content-Length: 0\r\n", 405),
        ("PUT", "", 405),
        ("OPTIONS", "", 405),
        ("DELETE", "", 405),
        ("GET", "Content-Length: 1\r\n\r\nx", 400),
        ("GET", "Content-Length: 9\r\n\r\n", 400),
        ("GET", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", 400),
        ("POST", "Content-Length: 1\r\n\r\nx", 405),
    ] {
        let bytes = request(&format!("{method} {path}"), headers);
        assert_eq!(status(&envoy, &bytes), wanted, "{method} {headers:?}");
    }
    assert_eq!(app.seen().len(), 2);
}

#[test]
fn paths_and_headers_that_are_no_kubelets() {
    let app = Http::start(V4, |_| Script::status(200));
    // Where a header would lead.
    let elsewhere = Http::start(V4, |_| Script::status(299));
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), "/")));
    let to = format!("X-Envoy-Original-Dst-Host: {}\r\n", elsewhere.addr());
    let long = format!("GET /app-health/{}", "x".repeat(60 << 10));
    let recorded = format!("GET {}", probe("c"));
    let long_value = format!("X-A: {}\r\n", "x".repeat(60 << 10));
    for (line, headers, wanted) in [
        (&recorded[..], "", 200),
        (&recorded, &to, 200),
        ("GET /", &to, 404),
        ("GET /healthz/ready", &to, 200),
        ("GET /app-health/x/readyz", &to, 400),
        (&recorded, &long_value, 200),
        (&long, "", 400),
        ("GET /app-health/c%2f..%2fc/readyz", "", 400),
        ("GET /app-health/../app-health/c/readyz", "", 400),
        ("GET /x/../app-health/c/readyz", "", 404),
    ] {
        let shown = &line[..line.len().min(60)];
        assert_eq!(status(&envoy, &request(line, headers)), wanted, "{shown} {headers:.60?}");
    }
    assert_eq!(elsewhere.seen(), []);
    assert_eq!(app.seen().len(), 3);
}

#[test]
fn bytes_that_are_not_utf8() {
    let app = Http::start(V4, |_| Script::status(200));
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), "/")));
    let path = probe("c").into_bytes();
    let with = |before: &[u8], after: &[u8]| {
        [b"GET ", before, b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n", after, b"\r\n"].concat()
    };
    assert_eq!(status(&envoy, &with(&path, b"X-A: \xff\xfe\r\n")), 200);
    assert_eq!(app.seen()[0].headers.iter().find(|(n, _)| n == "X-A").unwrap().1, b"\xff\xfe");
    // The filter's SDK would end the VM by such a name.
    for header in [&b"\xff: x\r\n"[..], b"X-\xc3: x\r\n", b"x\xfey: x\r\n"] {
        assert_eq!(status(&envoy, &with(&path, header)), 400, "{header:?}");
    }
    for target in [&b"/app-health/\xff/readyz"[..], b"/\xff\xfe"] {
        let answer = status(&envoy, &with(target, b""));
        assert!((400..500).contains(&answer), "{answer}");
    }
    assert_eq!(status(&envoy, b"\x00\x01\x02\r\n\r\n"), 400);
    assert_eq!(status(&envoy, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400);
    assert_eq!(envoy.get(probe("c")).status(), Ok(200));
}

/// Not on a probe's path, where any body is refused at once.
#[test]
fn a_client_that_never_sends_its_body_goes() {
    let envoy = envoy(Entries::default());
    let bytes = request("GET /healthz/ready", "Content-Length: 9\r\n");
    let answer = send_bytes(envoy.addr(), &bytes, LIMIT).expect("an answer");
    assert_eq!(String::from_utf8_lossy(&answer).get(9..12), Some("408"));
}

#[test]
fn a_client_that_goes_away_ends_its_check() {
    let app = Http::start(V4, |_| Script::default().hold());
    let closed = Closed::start(V4);
    let entries = Entries::default().hook("c", http(app.addr(), "/"));
    let envoy = envoy(entries.probe("after", http(closed.addr(), "/")));
    let bytes = request(&format!("GET {}", app_health_tests::entries::hook("c")), "");
    assert!(send_bytes(envoy.addr(), &bytes, SECOND / 2).is_err());
    let active = || envoy.stat("cluster.app_http.upstream_rq_active");
    until("the app is asked no more", || active() == 0);
    assert_eq!(app.seen().len(), 1);
}
