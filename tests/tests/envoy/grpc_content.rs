//! Probes with a Content-Type of gRPC's, of which Envoy makes 200 whatever it answers itself.

use app_health_tests::app::{Closed, Http, Script, V4};
use app_health_tests::entries::{Entries, hook, http, probe, tcp, within};
use app_health_tests::envoy::{LIMIT, Setup};
use app_health_tests::kubelet::Get;

use super::expected::envoy;

const TYPES: [&str; 3] = ["application/grpc", "application/grpc+proto", "application/grpc-web"];

fn status(get: Get, content_type: &str) -> Result<u16, String> {
    get.header("Content-Type", content_type).timeout(LIMIT).status()
}

#[test]
fn no_success_but_the_apps_own() {
    let cases = [
        (Script::status(204), 204),
        (Script::status(503), 503),
        (Script::raw("HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"), 503),
        (Script::redirect(302, "/0"), 204),
        (Script::redirect(302, "/4"), 502),
        (Script::redirect(302, "http://127.0.0.2/"), 302),
        (Script::default().hold(), 504),
        (Script::close().reset(), 500),
        (Script::raw("SSH-2.0-x\r\n").hold(), 502),
        (Script::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), 502),
    ];
    let scripts = cases.clone().map(|(script, _)| script);
    let app = Http::start(V4, move |request| {
        scripts[request.target[1..].parse::<usize>().expect("a case")].clone()
    });
    let closed = Closed::start(V4);
    let name = |n: usize| format!("c{n}");
    let entries = cases.iter().enumerate().fold(Entries::default(), |entries, (n, (_, status))| {
        let prober = http(app.addr(), &format!("/{n}"));
        entries.probe(&name(n), if *status == 504 { within(1, prober) } else { prober })
    });
    let refused = ("refused".to_owned(), 500);
    let envoy = envoy(
        entries
            .probe("refused", http(closed.addr(), "/"))
            .hook("refused", http(closed.addr(), "/"))
            .probe("tcp", tcp(closed.addr())),
    );
    let named = cases.iter().enumerate().map(|(n, (_, status))| (name(n), *status));
    let all: Vec<_> =
        named.chain([refused, ("tcp".to_owned(), 500), ("not-recorded".to_owned(), 400)]).collect();
    for content_type in TYPES {
        for (name, expected) in &all {
            let got = status(envoy.get(probe(name)), content_type);
            assert_eq!(got, Ok(*expected), "{content_type}: {name}");
        }
        assert!(status(envoy.hook(hook("refused")), content_type).is_err(), "{content_type}");
    }
    let sent = app.seen_at("/0");
    assert!(sent.len() >= 2 * TYPES.len(), "{}", sent.len());
    for (request, content_type) in sent.iter().zip(TYPES.iter().flat_map(|t| [t, t])) {
        assert_eq!(request.header("content-type").as_deref(), Some(*content_type));
    }
}

/// Envoy's own check could not be answered with anything but 200.
#[test]
fn a_tcp_check_without_an_agent_fails() {
    let app = Http::at_accept(V4, Script::default().hold());
    let entries = Entries::default().probe("c", tcp(app.addr()));
    let envoy = Setup::default().probers(entries.patient()).without_agent().start();
    assert_eq!(status(envoy.get(probe("c")), TYPES[0]), Ok(500));
    assert_eq!(envoy.get(probe("c")).status(), Ok(200));
}
