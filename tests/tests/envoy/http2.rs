//! What Kubernetes 1.37 brought: `httpGet.protocol: HTTP2` and `grpc.mode: TLS`.

use app_health_tests::app::{Grpc, Health, Http, Script, V4};
use app_health_tests::entries::{Entries, grpc, grpc_tls, hook, http2, probe, within};
use app_health_tests::health::ServingStatus::{NotServing, Serving};

use super::expected::Expected::{App, Reason};
use super::expected::{check, envoy};

#[test]
fn http2_in_clear_text_with_prior_knowledge() {
    let app = Grpc::start(V4, Health::Silent);
    let http1 = Http::start(V4, |_| Script::status(200));
    let envoy = envoy(
        Entries::default()
            .probe("c", http2(app.addr(), "/x?y"))
            .probe("brief", within(1, http2(app.addr(), "/x?y")))
            .probe("http1", http2(http1.addr(), "/"))
            // The kubelet's lifecycle handlers know no protocol.
            .hook("http1", http2(http1.addr(), "/")),
    );
    for (health, want) in [
        (Health::Status(204), App(204)),
        (Health::Status(503), App(503)),
        (Health::Silent, Reason(504, "timeout")),
        (Health::Status(200), App(200)),
    ] {
        app.set(health);
        let name = if health == Health::Silent { "brief" } else { "c" };
        check([(health, envoy.get(probe(name)).header("X-Custom", "hello"), want)]);
    }
    let request = &app.seen()[0];
    assert_eq!((&request.version[..], &request.target[..]), ("HTTP/2.0", "/x?y"));
    let host = format!("host: {}", app.addr());
    let lines = [&host[..], "user-agent: kube-probe/1.37", "accept: */*", "x-custom: hello"];
    assert_eq!(request.lines(), lines);
    assert_eq!(request.peer.ip().to_string(), "127.0.0.6");
    // Dispatched, as later hops are.
    let dispatched = envoy.get(probe("c")).header("Content-Type", "application/grpc");
    assert_eq!(dispatched.status(), Ok(200));
    let request = app.seen().pop().expect("a request");
    assert_eq!((&request.version[..], &request.target[..]), ("HTTP/2.0", "/x?y"));
    check([
        ("speaks HTTP/1", envoy.get(probe("http1")), Reason(502, "not a valid HTTP answer")),
        ("hook", envoy.hook(hook("http1")), App(200)),
    ]);
}

#[test]
fn grpc_over_tls() {
    let app = Grpc::over_tls(V4, Health::Says(Serving));
    let plain = Grpc::start(V4, Health::Says(Serving));
    let envoy = envoy(
        Entries::default()
            .probe("c", grpc_tls(app.addr(), None))
            .probe("brief", within(1, grpc_tls(app.addr(), None)))
            .probe("plain-to-tls", grpc(app.addr(), None))
            .probe("tls-to-plain", grpc_tls(plain.addr(), None)),
    );
    for (health, want) in [
        (Health::Says(Serving), App(200)),
        (Health::Says(NotServing), Reason(500, "NOT_SERVING")),
        (Health::Silent, Reason(504, "timeout")),
    ] {
        app.set(health);
        let name = if health == Health::Silent { "brief" } else { "c" };
        check([(health, envoy.get(probe(name)), want)]);
    }
    assert_eq!(app.seen()[0].header("host"), Some(app.addr().to_string()));
    check([
        ("plain to TLS", envoy.get(probe("plain-to-tls")), Reason(500, "grpc")),
        ("TLS to plain", envoy.get(probe("tls-to-plain")), Reason(500, "grpc")),
    ]);
}
