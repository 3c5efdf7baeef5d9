//! The rows of `--explain`: every probe and hook but the sidecar's, in the pod's order.

use app_health_webhook::handler::HandlerKind;
use app_health_webhook::path::ProbeKind;
use app_health_webhook::rewrite::{AgentOptions, Cause, Options, rewrite};
use serde_json::{Value, json};

use super::{restored, rewritten};

fn rows(pod: &Value) -> Vec<String> {
    let rewrite = rewrite(pod, &Options::default()).unwrap();
    let row = |report: &app_health_webhook::rewrite::Report| {
        let to = report.to.as_ref().unwrap_or_else(|reason| reason);
        format!("{} | {} | {to}", report.probe, report.from)
    };
    rewrite.probes.iter().map(row).collect()
}

#[test]
fn a_handler_is_described_in_a_few_words() {
    for (probe, from) in [
        (json!({"httpGet": {"path": "/index.html", "port": 8080}}), "httpGet :8080/index.html"),
        (json!({"httpGet": {"port": 80}}), "httpGet :80/"),
        (json!({"httpGet": {"path": "x", "port": 80}}), "httpGet :80/x"),
        (json!({"httpGet": {"path": "/x", "port": 8443, "scheme": "https"}}), "https :8443/x"),
        (json!({"httpGet": {"path": "/x", "port": 80, "host": "h"}}), "httpGet h:80/x"),
        (json!({"httpGet": {"path": "/\n\"x", "port": "http"}}), "httpGet :http/\\n\\\"x"),
        (json!({"httpGet": {"port": 80, "protocol": "HTTP2"}}), "httpGet HTTP2 :80/"),
        (
            json!({"httpGet": {"port": 80, "scheme": "HTTPS", "protocol": "HTTP1"}}),
            "https HTTP1 :80/",
        ),
        (json!({"httpGet": {"port": 80, "protocol": "\n"}}), "httpGet \\n :80/"),
        (json!({"tcpSocket": {"port": 2940}}), "tcpSocket :2940"),
        (json!({"grpc": {"port": 9090}}), "grpc :9090"),
        (json!({"grpc": {"port": 9090, "service": ""}}), "grpc :9090"),
        (json!({"grpc": {"port": 9090, "service": "svc"}}), "grpc :9090 svc"),
        (json!({"grpc": {"port": 9090, "service": "svc", "mode": "TLS"}}), "grpc TLS :9090 svc"),
        (json!({"exec": {"command": ["true"]}}), "exec"),
        (json!({"quic": {}}), "quic"),
    ] {
        let pod = json!({"spec": {"containers": [{"name": "app", "livenessProbe": probe}]}});
        let rewrite = rewrite(&pod, &Options::default()).unwrap();
        assert_eq!(rewrite.probes[0].from, from);
    }
}

/// Each handler that the API has for a probe or hook, and that of no other kind.
#[test]
fn each_handler_is_known() {
    for (kind, handler) in
        ProbeKind::ALL.into_iter().flat_map(|kind| HandlerKind::ALL.map(|it| (kind, it)))
    {
        let probe = json!({kind.field(): {handler.field(): {"port": 1}}});
        let mut app = if kind.is_hook() { json!({"lifecycle": probe}) } else { probe };
        app["name"] = json!("app");
        let containers = json!([app, {"name": "istio-proxy"}]);
        let pod = json!({"metadata": {"name": "pod"}, "spec": {"containers": containers}});
        let (there, rewrite) = rewritten(&pod, &Options::default()).unwrap();
        let known = handler.is_of(kind);
        assert_eq!(rewrite.probes[0].handler, known.then_some(handler), "{kind:?} {handler:?}");
        let fails_anyway = kind.is_hook() && handler == HandlerKind::TcpSocket;
        let redirected = known && handler.asks_port() && !fails_anyway;
        assert_eq!(rewrite.probes[0].to.is_ok(), redirected, "{kind:?} {handler:?}");
        assert_eq!(restored(&there, &Options::default()).unwrap().0, pod, "{kind:?} {handler:?}");
    }
}

/// The agent's container is put in only once, so one that merely has its name has to be told of.
#[test]
fn a_container_with_the_agents_name() {
    let options = Options { agent: Some(AgentOptions::new("agent:1")), ..Options::default() };
    for (args, probe, warnings) in [
        (json!(["serve"]), "tcpSocket", 0),
        (json!(["serve", "--listen", "127.0.0.1:1"]), "tcpSocket", 0),
        (json!(["sleep"]), "tcpSocket", 1),
        (json!([]), "tcpSocket", 1),
        (json!(null), "tcpSocket", 1),
        (json!(null), "httpGet", 0),
    ] {
        let pod = json!({"spec": {"containers": [
            {"name": "app", "readinessProbe": {probe: {"port": 1}}},
            {"name": "app-health-agent", "args": args},
            {"name": "istio-proxy"},
        ]}});
        let rewrite = rewrite(&pod, &options).unwrap();
        let causes: Vec<_> = rewrite.warnings.iter().map(|warning| warning.cause).collect();
        assert_eq!(causes, vec![Cause::AgentName; warnings], "{args} {probe}");
    }
    for (command, args, warnings) in [
        (json!(["app-health-agent", "serve"]), json!(null), 0),
        (json!(["app-health-agent", "serve"]), json!(["--listen", "127.0.0.1:1"]), 0),
        (json!(["/bin/app-health-agent"]), json!(["serve"]), 0),
        (json!(["serve"]), json!(null), 1),
        (json!(["sleep", "9"]), json!(["serve"]), 1),
    ] {
        let pod = json!({"spec": {"containers": [
            {"name": "app", "readinessProbe": {"tcpSocket": {"port": 1}}},
            {"name": "app-health-agent", "command": command, "args": args},
            {"name": "istio-proxy"},
        ]}});
        assert_eq!(rewrite(&pod, &options).unwrap().warnings.len(), warnings, "{command} {args}");
    }
}

#[test]
fn every_probe_has_a_row() {
    let tcp = json!({"tcpSocket": {"port": 1}});
    let mut pod = json!({"spec": {
        "containers": [
            {
                "name": "app",
                "livenessProbe": {"tcpSocket": {"port": "none"}},
                "readinessProbe": tcp,
                "startupProbe": {"exec": {}},
                "lifecycle": {"preStop": {"httpGet": {"port": 1}}, "postStart": {"sleep": {}}},
            },
            {"name": "istio-proxy", "livenessProbe": tcp},
        ],
        "initContainers": [{"name": "init", "readinessProbe": tcp}],
    }});
    let expected = [
        "init/readinessProbe | tcpSocket :1 | :15020/app-health/init/readyz",
        "app/readinessProbe | tcpSocket :1 | :15020/app-health/app/readyz",
        "app/livenessProbe | tcpSocket :none | the container has no port named \"none\"; it stays as it was",
        "app/startupProbe | exec | exec asks no port",
        "app/postStart | sleep | sleep asks no port",
        "app/preStop | httpGet :1/ | :15020/app-lifecycle/app/prestopz",
    ];
    assert_eq!(rows(&pod), expected);
    pod["metadata"] = json!({"annotations": {"sidecar.istio.io/rewriteAppHTTPProbers": "f"}});
    let off = "rewriting is off";
    let expected = [
        format!("init/readinessProbe | tcpSocket :1 | {off}"),
        format!("app/readinessProbe | tcpSocket :1 | {off}"),
        format!("app/livenessProbe | tcpSocket :none | {off}"),
        "app/startupProbe | exec | exec asks no port".to_owned(),
        "app/postStart | sleep | sleep asks no port".to_owned(),
        format!("app/preStop | httpGet :1/ | {off}"),
    ];
    assert_eq!(rows(&pod), expected);
}
