use std::sync::atomic::{AtomicUsize, Ordering};

use app_health_tests::app::{Alpn, Http, Https, Request, Script, V4, Versions, status};
use app_health_tests::entries::{Entries, http, http_with, https, probe};

use super::expected::Expected::{App, Reason};
use super::expected::{check, envoy};

/// `/chain/3` leads to `/chain/2`, and so on; `/to?LOCATION` to the location; anything else is 200.
fn app() -> Http {
    Http::start(V4, |request: &Request| {
        let target = &request.target[..];
        if let Some(n) = target.strip_prefix("/chain/").and_then(|n| n.parse::<u8>().ok()) {
            return match n {
                0 => Script::status(204),
                n => Script::redirect(302, &format!("/chain/{}", n - 1)),
            };
        }
        match target.strip_prefix("/to?") {
            Some(location) => Script::redirect(307, location),
            None => Script::status(200),
        }
    })
}

#[test]
fn where_a_location_leads() {
    let (app, other) = (app(), app());
    let tls = Https::start(V4, Alpn::Both, Versions::Both, |request| match &request.target[..] {
        "/back" => {
            let location = request.header("x-back").unwrap_or_default();
            let mut answer = status(301);
            answer.headers_mut().insert("location", location.parse().expect("a location"));
            answer
        }
        _ => status(202),
    });
    let (port, tls_port) = (other.addr().port(), tls.addr().port());
    let cases = [
        ("relative", "/x".to_owned(), App(200)),
        ("without-a-slash", "x".to_owned(), App(200)),
        ("other-port", format!("http://127.0.0.1:{port}/chain/0"), App(204)),
        ("without-a-scheme", format!("//127.0.0.1:{port}/chain/2"), App(204)),
        ("to-https", format!("https://127.0.0.1:{tls_port}/"), App(202)),
        (
            "refused",
            "http://127.0.0.1:1/".to_owned(),
            Reason(500, "redirect to http://127.0.0.1:1: connection"),
        ),
        ("other-host", "http://127.0.0.2/x".to_owned(), App(307)),
        ("a-name", "http://localhost/x".to_owned(), App(307)),
        ("mailto", "mailto:x".to_owned(), App(307)),
        ("empty", String::new(), App(307)),
        ("no-url", "%zz".to_owned(), Reason(502, "%zz")),
        ("bad-port", "http://127.0.0.1:x/".to_owned(), Reason(502, "port")),
        ("ftp", "ftp://127.0.0.1/".to_owned(), Reason(502, "ftp")),
    ];
    let entries = cases.iter().fold(Entries::default(), |entries, (name, location, _)| {
        entries.probe(name, http(app.addr(), &format!("/to?{location}")))
    });
    let envoy = envoy(entries.probe("back", https(tls.addr(), "/back")));
    check(cases.map(|(name, _, want)| (name, envoy.get(probe(name)), want)));
    let back = format!("http://{}/chain/1", app.addr());
    check([("back", envoy.get(probe("back")).header("X-Back", back), App(204))]);
}

/// As Go sends it: a path encoded, a query as it came.
#[test]
fn what_is_beyond_ascii() {
    let app = Http::start(V4, |request: &Request| match &request.target[..] {
        "/" => Script::redirect(302, "/caf\u{e9}?caf\u{e9}"),
        _ => Script::status(204),
    });
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), "/")));
    check([("", envoy.get(probe("c")), App(204))]);
    assert_eq!(app.seen_at("/caf%C3%A9?caf\u{e9}").len(), 1, "{:?}", app.seen());
}

/// What the filter's memory held for one answer serves the next, which is larger.
#[test]
fn locations_that_grow() {
    const STEP: usize = 64 << 10;
    let size = AtomicUsize::new(0);
    let app = Http::start(V4, move |_: &Request| {
        let size = size.fetch_add(STEP, Ordering::Relaxed);
        Script::redirect(302, &format!("http://127.0.0.2/{}", "x".repeat(size)))
    });
    let envoy = envoy(Entries::default().probe("c", http(app.addr(), "/")));
    let before = envoy.memory();
    check((0..40).map(|n| (n, envoy.get(probe("c")), App(302))));
    let grown = envoy.memory() - before;
    assert!(grown < 48.0, "by {grown} MiB");
}

#[test]
fn what_goes_along() {
    let app = app();
    let with_host = http_with(app.addr(), "/to?/relative", &[("Host", "example.com")]);
    let absolute = format!("/to?http://{}/absolute", app.addr());
    let entries = Entries::default()
        .probe("relative", with_host)
        .probe("absolute", http_with(app.addr(), &absolute, &[("Host", "example.com")]));
    let envoy = envoy(entries);
    for name in ["relative", "absolute"] {
        let get = envoy.get(probe(name)).header("Host", "example.com").header("X-Custom", "hello");
        assert_eq!(get.status(), Ok(200), "{name}");
    }
    let own = app.addr().to_string();
    for (target, host, referer) in [
        ("/relative", "example.com", format!("http://{own}/to?/relative")),
        ("/absolute", &own[..], format!("http://{own}{absolute}")),
    ] {
        let mut lines = app.seen_at(target)[0].lines();
        lines.sort();
        let mut wanted = [
            format!("Host: {host}"),
            "User-Agent: kube-probe/1.37".into(),
            "Accept: */*".into(),
            "X-Custom: hello".into(),
            format!("Referer: {referer}"),
            "Connection: close".into(),
        ];
        wanted.sort();
        assert_eq!(lines, wanted, "{target}");
    }
}
