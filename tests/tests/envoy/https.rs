use std::fs;
use std::net::{SocketAddr, TcpStream};

use app_health_tests::app::{Alpn, Http, Https, Script, V4, Versions, status};
use app_health_tests::entries::{Entries, hook, http, https, probe, within};
use app_health_tests::envoy::find;
use app_health_tests::net;
use app_health_tests::process::{self, Process};
use serde_json::json;
use tempfile::TempDir;

use super::expected::Expected::{App, Reason};
use super::expected::{check, envoy};

#[test]
fn every_kind_of_tls_app_is_asked() {
    let cases = [
        ("no-alpn", Alpn::None, Versions::Both, "HTTP/1.1"),
        ("http1", Alpn::Http1, Versions::Both, "HTTP/1.1"),
        ("http2", Alpn::Http2, Versions::Both, "HTTP/2.0"),
        ("both", Alpn::Both, Versions::Both, "HTTP/2.0"),
        ("tls12", Alpn::Http1, Versions::Only12, "HTTP/1.1"),
        ("tls13", Alpn::Http2, Versions::Only13, "HTTP/2.0"),
    ];
    let apps = cases.map(|(_, alpn, versions, _)| {
        Https::start(V4, alpn, versions, |request| {
            status(if request.target == "/well" { 200 } else { 503 })
        })
    });
    let entries = cases.iter().zip(&apps).fold(Entries::default(), |entries, ((name, ..), app)| {
        let ill = format!("{name}-ill");
        entries.probe(name, https(app.addr(), "/well")).probe(&ill, https(app.addr(), "/ill"))
    });
    let envoy = envoy(entries);
    for ((name, .., version), app) in cases.iter().zip(&apps) {
        check([
            (name, envoy.get(probe(name)), App(200)),
            (name, envoy.get(probe(&format!("{name}-ill"))), App(503)),
        ]);
        let request = &app.seen()[0];
        assert_eq!((&request.version[..], request.sni.as_deref()), (*version, None), "{name}");
        assert_eq!(request.header("host"), Some(app.addr().to_string()), "{name}");
    }
}

#[test]
fn every_probe_makes_a_handshake_of_its_own() {
    let kinds = [(Versions::Only12, "tls12"), (Versions::Only13, "tls13")];
    let start = |(versions, name)| (name, Https::start(V4, Alpn::Http1, versions, |_| status(200)));
    let apps = kinds.map(start);
    let entries = apps.iter().fold(Entries::default(), |entries, (name, app)| {
        entries.probe(name, https(app.addr(), "/"))
    });
    let envoy = envoy(entries);
    for (name, app) in &apps {
        check([(); 3].map(|()| (name, envoy.get(probe(name)), App(200))));
        let resumed: Vec<bool> = app.seen().iter().map(|request| request.resumed).collect();
        assert_eq!(resumed, [false; 3], "{name}");
    }
}

#[test]
fn over_http2_too_the_app_sees_only_the_kubelets_headers() {
    let app = Https::start(V4, Alpn::Http2, Versions::Both, |_| status(200));
    let envoy = envoy(Entries::default().probe("c", https(app.addr(), "/x?y")));
    let get = envoy.get(probe("c")).header("Host", "example.com").header("X-Custom", "hello");
    assert_eq!(get.status(), Ok(200));
    let request = &app.seen()[0];
    assert_eq!((&request.target[..], &request.sni), ("/x?y", &None));
    let lines =
        ["host: example.com", "user-agent: kube-probe/1.37", "accept: */*", "x-custom: hello"];
    assert_eq!(request.lines(), lines);
}

#[test]
fn tls_that_meets_none() {
    let plain = Http::start(V4, |_| Script::status(200));
    let silent = Http::at_accept(V4, Script::default().hold());
    let answers_at_once = Http::at_accept(V4, Script::raw("HTTP/1.1 400 Bad\r\n\r\n"));
    let tls = Https::start(V4, Alpn::Http1, Versions::Both, |_| status(200));
    let envoy = envoy(
        Entries::default()
            .probe("silent", within(1, https(silent.addr(), "/")))
            .probe("plain", https(answers_at_once.addr(), "/"))
            .hook("plain", https(answers_at_once.addr(), "/"))
            .hook("retried", https(plain.addr(), "/"))
            .probe("tls", http(tls.addr(), "/")),
    );
    check([
        ("silent", envoy.get(probe("silent")), Reason(504, "timeout")),
        ("plain", envoy.get(probe("plain")), Reason(502, "TLS")),
        // Meant to be HTTPS, and asked again over HTTP, as the kubelet does it for hooks.
        ("plain hook", envoy.hook(hook("plain")), App(400)),
        ("tls", envoy.get(probe("tls")), Reason(502, "not a valid HTTP answer")),
    ]);
}

/// What Go's client offers besides. Another Envoy is the app: no library of the tests speaks it.
#[test]
fn an_app_that_agrees_on_a_post_quantum_key_only() {
    let app = PostQuantum::start();
    let envoy = envoy(Entries::default().probe("c", https(app.addr, "/")));
    check([("c", envoy.get(probe("c")), App(204))]);
}

struct PostQuantum {
    addr: SocketAddr,
    _process: Process,
    _dir: TempDir,
}

impl PostQuantum {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let identity =
            rcgen::generate_simple_self_signed(["app".to_owned()]).expect("a certificate");
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).expect("the file is written");
            path.display().to_string()
        };
        let certificate = file("cert.pem", &identity.cert.pem());
        let key = file("key.pem", &identity.signing_key.serialize_pem());
        let addr = SocketAddr::new(V4, net::free_port());
        let tls = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_params": {
                    "tls_maximum_protocol_version": "TLSv1_3",
                    "ecdh_curves": ["X25519MLKEM768"],
                },
                "tls_certificates": [{
                    "certificate_chain": {"filename": certificate},
                    "private_key": {"filename": key},
                }],
            },
        });
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "app",
            "route_config": {"virtual_hosts": [{
                "name": "app",
                "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 204}}],
            }]},
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }],
        });
        let bootstrap = json!({"static_resources": {"listeners": [{
            "name": "app",
            "address": {"socket_address": {"address": addr.ip(), "port_value": addr.port()}},
            "filter_chains": [{
                "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
                "filters": [{"name": "http", "typed_config": manager}],
            }],
        }]}});
        let mut command = process::command(find());
        command.args(["--config-yaml", &bootstrap.to_string(), "--disable-hot-restart"]);
        command.args(["--concurrency", "1", "--log-level", "warning"]);
        let process = Process::start("the app", &mut command);
        process
            .wait_until(|| TcpStream::connect(addr).map(drop).map_err(|error| error.to_string()));
        Self { addr, _process: process, _dir: dir }
    }
}
