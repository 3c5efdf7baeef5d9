//! Generated pods: valid ones with all that a user may write, and the same with a value spoilt.

use app_health_webhook::probers::VARIABLE;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::{Map, Value, json};

/// A pod of distinct containers, with or without a sidecar, its sidecar without the variable.
pub fn pod() -> impl Strategy<Value = Value> {
    let apps = subsequence(vec!["app", "a-b", "a", "web.1", "x_y"], 0..=4).prop_shuffle();
    let containers = apps.prop_flat_map(|names| {
        names.into_iter().map(container).collect::<Vec<_>>().prop_flat_map(Just)
    });
    let spec = (host_network(), of_the_pod());
    (containers, any::<Index>(), metadata(), sidecar(), any::<Index>(), spec).prop_map(
        |(mut containers, inits, metadata, sidecar, at, (host_network, of_the_pod))| {
            if let Some(sidecar) = sidecar {
                containers.insert(at.index(containers.len() + 1), sidecar);
            }
            let rest = containers.split_off(inits.index(containers.len() + 1));
            let mut pod = object([("metadata", metadata)]);
            pod["spec"] = of_the_pod;
            pod["spec"]["initContainers"] = containers.into();
            pod["spec"]["containers"] = rest.into();
            pod["spec"]["future"] = json!([1]);
            if let Some(host_network) = host_network {
                pod["spec"]["hostNetwork"] = host_network;
            }
            pod
        },
    )
}

/// A pod in which one value, anywhere, was replaced by another or taken away.
pub fn spoilt_pod() -> impl Strategy<Value = Value> {
    (pod(), any::<Index>(), junk()).prop_map(|(mut pod, at, junk)| {
        let mut pointers = Vec::new();
        collect_pointers(&pod, String::new(), &mut pointers);
        let pointer = at.get(&pointers);
        *pod.pointer_mut(pointer).unwrap() = junk;
        pod
    })
}

/// A pod whose sidecar carries the variable already, or something that pretends to be it.
pub fn pod_with_variable() -> impl Strategy<Value = Value> {
    let entries = "\\{(\"/app-health/(app|gone)/(readyz|livez)\":\\{\"tcpSocket\":\\{\"port\":[1-9]\\}\\})?\\}";
    let value = prop_oneof![8 => entries, 1 => "", 1 => "null|oops|\\[\\]|\\{\"x\":1\\}"];
    let values = prop_oneof![4 => vec(value.clone(), 1..3), 1 => vec(value, 3..20)];
    (pod(), values).prop_map(|(mut pod, values)| {
        let mut env: Vec<_> =
            values.iter().map(|value| json!({"name": VARIABLE, "value": value})).collect();
        env.insert(1, json!({"name": "A"}));
        for list in ["initContainers", "containers"] {
            for container in pod["spec"][list].as_array_mut().unwrap() {
                if container["name"] == "istio-proxy" {
                    container["env"] = Value::Array(env.clone());
                }
            }
        }
        pod
    })
}

fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let there = members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

fn values(values: Vec<Value>) -> impl Strategy<Value = Option<Value>> {
    let all: Vec<_> = values.into_iter().map(Some).chain([None, None, None]).collect();
    select(all)
}

fn metadata() -> impl Strategy<Value = Option<Value>> {
    values(vec![
        json!(null),
        json!({}),
        json!({"annotations": null}),
        json!({"annotations": {}}),
        json!({"name": "x", "annotations": {"a": "b", "c": null}}),
        json!({"name": "x", "annotations": {"status.sidecar.istio.io/port": "15021"}}),
        json!({"annotations": {"sidecar.istio.io/rewriteAppHTTPProbers": "0"}}),
        json!({"annotations": {
            "app-health/rewrite": "true", "sidecar.istio.io/rewriteAppHTTPProbers": "false",
        }}),
        json!({"annotations": {"app-health/rewrite": "false"}}),
        json!({"annotations": {"app-health/rewrite-exclude": "app,x_y,other"}}),
    ])
}

fn host_network() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![9 => Just(None), 1 => select(vec![Some(json!(true)), Some(json!(null))])]
}

/// What the agent's container follows, and what says Linux.
fn of_the_pod() -> impl Strategy<Value = Value> {
    let pull_secrets = values(vec![
        json!(null),
        json!([]),
        json!([{}]),
        json!([{"name": "key"}]),
        json!([{"name": "other"}, {"name": "key", "future": 1}]),
    ]);
    let context = values(vec![json!(null), json!({}), json!({"runAsUser": 0, "fsGroup": 1})]);
    let node = values(vec![
        json!({"os": {"name": "linux"}, "nodeSelector": {"kubernetes.io/os": "linux"}}),
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
            ]}],
        }}}}),
    ]);
    (pull_secrets, resources(), context, node).prop_map(
        |(pull_secrets, resources, context, node)| {
            let mut spec = object([
                ("imagePullSecrets", pull_secrets),
                ("resources", resources),
                ("securityContext", context),
            ]);
            let node = node.unwrap_or(json!({}));
            spec.as_object_mut().unwrap().extend(node.as_object().unwrap().clone());
            spec
        },
    )
}

fn resources() -> impl Strategy<Value = Option<Value>> {
    values(vec![
        json!(null),
        json!({}),
        json!({"requests": {"cpu": 1, "memory": "1Gi"}, "claims": []}),
        json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": null}),
    ])
}

fn sidecar() -> impl Strategy<Value = Option<Value>> {
    let env = values(vec![json!(null), json!([]), json!([{"name": "A", "future": 1}])]);
    let sidecar = env.prop_map(|env| {
        let mut sidecar = object([("env", env)]);
        sidecar["name"] = json!("istio-proxy");
        sidecar["readinessProbe"] = json!({"httpGet": {"path": "/healthz/ready", "port": 15021}});
        sidecar
    });
    prop_oneof![9 => sidecar.prop_map(Some), 1 => Just(None)]
}

fn container(name: &'static str) -> impl Strategy<Value = Value> {
    let probe = || prop_oneof![probe().prop_map(Some), Just(None)];
    let hook = || prop_oneof![1 => hook().prop_map(Some), 2 => Just(None)];
    let ports = values(vec![
        json!(null),
        json!([]),
        json!([{"containerPort": 80}, {"name": "http", "containerPort": 8080}]),
        json!([{"name": "http", "containerPort": 15020}]),
    ]);
    (ports, probe(), probe(), probe(), hook(), hook(), any::<bool>(), resources()).prop_map(
        move |(ports, readiness, liveness, startup, start, stop, future, resources)| {
            let lifecycle = object([("postStart", start), ("preStop", stop)]);
            object([
                ("name", Some(json!(name))),
                ("ports", ports),
                ("readinessProbe", readiness),
                ("livenessProbe", liveness),
                ("startupProbe", startup),
                ("lifecycle", Some(lifecycle)),
                ("resources", resources),
                ("future", future.then(|| json!({"of": ["containers", 1.5]}))),
            ])
        },
    )
}

fn probe() -> impl Strategy<Value = Value> {
    let timeout = values(vec![json!(null), json!(0), json!(1), json!(i32::MAX)]);
    let handler = prop_oneof![
        4 => http_get().prop_map(|http| ("httpGet", http)),
        2 => tcp_socket().prop_map(|tcp| ("tcpSocket", tcp)),
        2 => grpc().prop_map(|grpc| ("grpc", grpc)),
        1 => Just(("exec", json!({"command": ["true"]}))),
        1 => Just(("quic", json!({"port": 443}))),
    ];
    (handler, timeout, nulls()).prop_map(|((name, handler), timeout, nulls)| {
        let mut probe = nulls;
        probe["timeoutSeconds"] = timeout.unwrap_or(json!(3));
        probe[name] = handler;
        probe
    })
}

fn hook() -> impl Strategy<Value = Value> {
    let handler = prop_oneof![
        http_get().prop_map(|http| ("httpGet", http)),
        tcp_socket().prop_map(|tcp| ("tcpSocket", tcp)),
        Just(("sleep", json!({"seconds": 1}))),
    ];
    (handler, nulls()).prop_map(|((name, handler), mut hook)| {
        hook[name] = handler;
        hook
    })
}

/// Handlers that are not there, and a field of a later Kubernetes.
fn nulls() -> impl Strategy<Value = Value> {
    subsequence(vec!["httpGet", "tcpSocket", "grpc", "exec"], 0..3)
        .prop_map(|names| names.into_iter().map(|name| (name.to_owned(), Value::Null)).collect())
        .prop_map(Value::Object)
}

fn http_get() -> impl Strategy<Value = Value> {
    let path = prop_oneof![
        3 => "/[a-z<>&$(){}%é\u{2028}\"\\\\]{0,12}".prop_map(|path| Some(json!(path))),
        1 => values(vec![json!(null), json!(""), json!("/app-health/app/readyz")]),
    ];
    let scheme = values(vec![
        json!(null),
        json!(""),
        json!("HTTP"),
        json!("HTTPS"),
        json!("http"),
        json!("https"),
        json!("FTP"),
    ]);
    let headers = values(vec![
        json!(null),
        json!([]),
        json!([{"name": "Host", "value": "h"}, {"name": "A"}, {"value": "$(B)"}]),
        json!([{"name": "A", "value": "b", "future": null}]),
        json!([{"name": "A", "value": "b"}, {"name": "A", "value": "b", "future": 1}]),
    ]);
    let protocol = word(&["HTTP1", "HTTP2", "HTTP2", "HTTP3"]);
    (path, port(), host(), scheme, headers, protocol, future()).prop_map(
        |(path, port, host, scheme, headers, protocol, future)| {
            object([
                ("path", path),
                ("port", Some(port)),
                ("host", host),
                ("scheme", scheme),
                ("httpHeaders", headers),
                ("protocol", protocol),
                ("future", future),
            ])
        },
    )
}

fn tcp_socket() -> impl Strategy<Value = Value> {
    (port(), host(), future()).prop_map(|(port, host, future)| {
        object([("port", Some(port)), ("host", host), ("future", future)])
    })
}

fn grpc() -> impl Strategy<Value = Value> {
    let service = values(vec![json!(null), json!(""), json!("my.Service")]);
    let mode = word(&["Plaintext", "TLS", "TLS", "mTLS"]);
    (1..=u16::MAX, service, mode, future()).prop_map(|(port, service, mode, future)| {
        let port = Some(json!(port));
        object([("port", port), ("service", service), ("mode", mode), ("future", future)])
    })
}

/// One of these, or none: mostly absent, as before Kubernetes 1.37.
fn word(words: &[&str]) -> impl Strategy<Value = Option<Value>> + use<> {
    let words: Vec<_> = words.iter().copied().chain([""]).map(|word| json!(word)).collect();
    prop_oneof![2 => Just(None), 1 => values([words, vec![Value::Null]].concat())]
}

fn port() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (1..=u16::MAX).prop_map(|port| json!(port)),
        1 => select(vec![json!("http"), json!("none"), json!(15020), json!("80")]),
    ]
}

fn host() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        8 => Just(None),
        1 => values(vec![json!(null), json!(""), json!("example.com")]),
    ]
}

fn future() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![5 => Just(None), 1 => values(vec![json!({"a": [null]}), json!("b"), json!(null)])]
}

fn junk() -> impl Strategy<Value = Value> {
    let numbers = select(vec![json!(0), json!(-1), json!(65536), json!(1.5), json!(u64::MAX)]);
    prop_oneof![
        select(vec![json!(null), json!(true), json!([]), json!({}), json!([null]), json!({"": 1})]),
        numbers,
        any::<String>().prop_map(Value::String),
    ]
}

fn collect_pointers(value: &Value, at: String, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let key = key.replace('~', "~0").replace('/', "~1");
                collect_pointers(value, format!("{at}/{key}"), into);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                collect_pointers(value, format!("{at}/{index}"), into);
            }
        }
        _ => {}
    }
    into.push(at);
}
