//! Each handler and protocol, of apps that pass and of apps that fail.

use std::net::SocketAddr;

use app_health_tests::app::{
    Alpn, Changing, Closed, Conduct, Grpc, Health, Http, Https, Open, Script, V4, Versions, status,
};
use app_health_tests::health::ServingStatus::{NotServing, Serving};
use serde_json::{Value, json};

use crate::{found, readiness};

/// What is concluded from asking the app: verdict, status, reason, text.
fn direct(recorded: Value) -> String {
    let (finding, _) = found(&readiness(recorded, Script::status(200)));
    let app = &finding["app"];
    assert!(app.is_object(), "{finding}");
    let word = |name: &str| match &app[name] {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    // The status port has passed, so the app speaks TLS: only not what probe does.
    let passes = app["verdict"] != "failure" || app["reason"] == "tls";
    assert_eq!(finding["fault"], if passes { "nobody" } else { "redirection" }, "{finding}");
    assert!(app["whole_ms"].as_f64().unwrap() >= app["connect_ms"].as_f64().unwrap_or(0.0));
    ["verdict", "status", "reason", "text"].map(word).join(" ").trim_end().to_owned()
}

fn https(app: SocketAddr) -> Value {
    json!({"httpGet": {"port": app.port(), "scheme": "HTTPS"}})
}

#[test]
fn http() {
    for (script, comes) in [
        (Script::status(204), "success 204 ok"),
        (Script::redirect(302, "http://other/"), "warning 302 ok"),
        (crate::body(503, "", "no database\n"), "failure 503 status no database"),
        (Script::raw("hello\r\n\r\n"), "failure - invalid not a valid HTTP answer: \"hello\""),
        (Script::close(), "failure - reset connection closed before an answer"),
        (
            Script::raw("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na"),
            "failure - broken the app's answer broke off",
        ),
        (Script::redirect(302, "/"), "failure - redirect stopped after 10 redirects"),
    ] {
        let app = Http::start(V4, move |_| script.clone());
        assert_eq!(direct(crate::http(app.addr())), comes);
    }
    let closed = Closed::start(V4);
    assert_eq!(direct(crate::http(closed.addr())), "failure - refused Connection refused");
}

#[test]
fn redirects_are_followed_over_tls_too() {
    let end = Https::start(V4, Alpn::Both, Versions::Both, |_| status(200));
    let there = format!("https://{}/end", end.addr());
    let app = Http::start(V4, move |_| Script::redirect(307, &there));
    assert_eq!(direct(crate::http(app.addr())), "success 200 ok");
    assert_eq!(end.seen()[0].target, "/end");
}

#[test]
fn https_speaks_what_the_app_prefers_and_verifies_nothing() {
    for (alpn, version) in [
        (Alpn::None, "HTTP/1.1"),
        (Alpn::Http1, "HTTP/1.1"),
        (Alpn::Http2, "HTTP/2.0"),
        (Alpn::Both, "HTTP/2.0"),
    ] {
        let app = Https::start(V4, alpn, Versions::Both, |_| status(200));
        assert_eq!(direct(https(app.addr())), "success 200 ok", "{alpn:?}");
        let seen = app.seen();
        assert_eq!((&*seen[0].version, &seen[0].sni), (version, &None), "{alpn:?}");
        assert_eq!(seen[0].header("user-agent").as_deref(), Some("kube-probe/1.37"), "{alpn:?}");
        assert_eq!(seen[0].header("host"), Some(app.addr().to_string()), "{alpn:?}");
    }
    let plain = Http::at_accept(V4, Script::status(200));
    let comes = direct(https(plain.addr()));
    assert!(comes.starts_with("failure - tls TLS: "), "{comes}");
}

#[test]
fn http2_in_clear_text() {
    let recorded = |app: SocketAddr| json!({"httpGet": {"port": app.port(), "protocol": "HTTP2"}});
    let mut app = Changing::start(V4);
    let answers = |answer| Conduct::Http2 { after: std::time::Duration::ZERO, answer };
    app.open(answers(status(200)));
    assert_eq!(direct(recorded(app.addr())), "success 200 ok");
    app.open(answers(status(404)));
    assert_eq!(direct(recorded(app.addr())), "failure 404 status");
    let old = Http::start(V4, |_| Script::status(200));
    let comes = direct(recorded(old.addr()));
    assert!(comes.starts_with("failure - "), "{comes}");
}

#[test]
fn grpc() {
    let recorded = |app: SocketAddr, mode: &str| json!({"grpc": {"port": app.port(), "service": "shop", "mode": mode}});
    let plain = Grpc::start(V4, Health::Silent);
    let over_tls = Grpc::over_tls(V4, Health::Silent);
    for (health, comes) in [
        (Health::Says(Serving), "success - ok"),
        (Health::Says(NotServing), "failure - not_serving NOT_SERVING"),
        (Health::Error(5), "failure - not_serving service unknown"),
        (Health::Error(12), "failure - not_serving health service not implemented"),
        (Health::Status(503), "failure - invalid not a gRPC answer"),
    ] {
        for (app, mode) in [(&plain, "Plaintext"), (&over_tls, "TLS")] {
            app.set(health);
            assert_eq!(direct(recorded(app.addr(), mode)), comes, "{health:?} {mode}");
        }
    }
    assert_eq!(plain.services()[0], "shop");
    assert_eq!(plain.seen()[0].peer.ip().to_string(), "127.0.0.6");
    let comes = direct(recorded(plain.addr(), "TLS"));
    assert!(comes.starts_with("failure - tls TLS: "), "{comes}");
    // HTTP/2 has to be agreed on, even where the app would speak it.
    for alpn in [Alpn::Http1, Alpn::None] {
        let old = Https::start(V4, alpn, Versions::Both, |_| status(200));
        let comes = direct(recorded(old.addr(), "TLS"));
        assert!(comes.starts_with("failure - tls TLS: "), "{alpn:?}: {comes}");
    }
}

#[test]
fn tcp() {
    let recorded = |app: SocketAddr| json!({"tcpSocket": {"port": app.port()}});
    let open = Open::start(V4);
    assert_eq!(direct(recorded(open.addr())), "success - ok");
    assert_eq!(open.peers()[0].ip().to_string(), "127.0.0.6");
    let resets = Http::at_accept(V4, Script::close().reset());
    assert_eq!(direct(recorded(resets.addr())), "success - ok");
    let closed = Closed::start(V4);
    assert_eq!(direct(recorded(closed.addr())), "failure - refused Connection refused");
}

#[test]
fn tls_that_probe_does_not_speak_is_nobodys_fault() {
    let plain = Http::at_accept(V4, Script::status(200));
    for (through, fault, text) in [
        (Script::status(200), "nobody", "the status port passes; probe itself speaks no such TLS"),
        (Script::status(503), "app", "so the status port says"),
        (crate::because(502, "tls", "x"), "app", "it fails whoever asks"),
        (crate::because(500, "agent", "x"), "agent", "it could not make the check"),
        (crate::because(500, "proxy", "x"), "redirection", "Envoy could not ask the app"),
    ] {
        let (finding, _) = found(&readiness(https(plain.addr()), through));
        assert_eq!(finding["app"]["reason"], "tls", "{finding}");
        assert_eq!(finding["fault"], fault, "{finding}");
        assert_eq!(finding["text"], format!("at fault: {fault} ({text})"));
    }
}
