//! Pods that no API server would take: which field is wrong, and how. Nothing of them is touched.

use app_health_webhook::rewrite::{Options, restore, rewrite};
use serde_json::{Value, json};

#[test]
fn a_pod_of_wrong_types_is_refused() {
    for (pod, error) in [
        (json!(null), ": expected an object, not null"),
        (json!("pod"), ": expected an object, not \"pod\""),
        (json!({"metadata": 1}), "/metadata: expected an object, not 1"),
        (
            json!({"metadata": {"annotations": []}}),
            "/metadata/annotations: expected an object, not an array",
        ),
        (
            json!({"metadata": {"annotations": {"a/b": 1}}}),
            "/metadata/annotations/a~1b: expected a string, not 1",
        ),
        (json!({"spec": true}), "/spec: expected an object, not true"),
        (
            json!({"spec": {"hostNetwork": "true"}}),
            "/spec/hostNetwork: expected true or false, not \"true\"",
        ),
        (
            json!({"spec": {"imagePullSecrets": "wrong"}}),
            "/spec/imagePullSecrets: expected an array, not \"wrong\"",
        ),
        (
            json!({"spec": {"imagePullSecrets": [{"name": "a"}, "b"]}}),
            "/spec/imagePullSecrets/1: expected an object, not \"b\"",
        ),
        (
            json!({"spec": {"imagePullSecrets": [{"name": 1}]}}),
            "/spec/imagePullSecrets/0/name: expected a string, not 1",
        ),
        (
            json!({"spec": {"resources": {"limits": []}}}),
            "/spec/resources/limits: expected an object, not an array",
        ),
        (
            json!({"spec": {"securityContext": {"runAsUser": "0"}}}),
            "/spec/securityContext/runAsUser: expected an integer, not \"0\"",
        ),
        (
            json!({"spec": {"securityContext": {"windowsOptions": true}}}),
            "/spec/securityContext/windowsOptions: expected an object, not true",
        ),
        (json!({"spec": {"os": "linux"}}), "/spec/os: expected an object, not \"linux\""),
        (
            json!({"spec": {"nodeSelector": {"kubernetes.io/os": 1}}}),
            "/spec/nodeSelector/kubernetes.io~1os: expected a string, not 1",
        ),
        (
            json!({"spec": {"affinity": {"nodeAffinity": []}}}),
            "/spec/affinity/nodeAffinity: expected an object, not an array",
        ),
        (json!({"spec": {"containers": {}}}), "/spec/containers: expected an array, not an object"),
        (
            json!({"spec": {"initContainers": [null]}}),
            "/spec/initContainers/0: expected an object, not null",
        ),
        (json!({"spec": {"containers": [{}]}}), "/spec/containers/0: needs a name"),
        (
            json!({"spec": {"containers": [{"name": 1.5}]}}),
            "/spec/containers/0/name: expected a string, not 1.5",
        ),
        (
            json!({"spec": {"initContainers": [{"name": "a"}], "containers": [{"name": "a"}]}}),
            "/spec/containers/0: another container has the same name",
        ),
    ] {
        refused(&pod, error);
    }
}

#[test]
fn a_probe_of_wrong_types_is_refused() {
    for (probe, error) in [
        (json!([]), ": expected an object, not an array"),
        (json!({}), ": needs a handler: httpGet, tcpSocket, grpc or exec"),
        (
            json!({"httpGet": null, "periodSeconds": 1}),
            ": needs a handler: httpGet, tcpSocket, grpc or exec",
        ),
        (json!({"exec": {}, "grpc": {"port": 1}}), ": has more than one handler: grpc and exec"),
        (json!({"httpGet": 80}), "/httpGet: expected an object, not 80"),
        (json!({"httpGet": {}}), "/httpGet: needs a port"),
        (json!({"httpGet": {"port": null}}), "/httpGet: needs a port"),
        (json!({"httpGet": {"port": 0}}), "/httpGet/port: expected a port from 1 to 65535, not 0"),
        (
            json!({"tcpSocket": {"port": 65536}}),
            "/tcpSocket/port: expected a port from 1 to 65535, not 65536",
        ),
        (
            json!({"tcpSocket": {"port": -1}}),
            "/tcpSocket/port: expected a port from 1 to 65535, not -1",
        ),
        (json!({"tcpSocket": {"port": 80.0}}), "/tcpSocket/port: expected an integer, not 80.0"),
        (
            json!({"tcpSocket": {"port": u64::MAX}}),
            "/tcpSocket/port: expected an integer, not 18446744073709551615",
        ),
        (
            json!({"tcpSocket": {"port": [80]}}),
            "/tcpSocket/port: expected an integer, not an array",
        ),
        (json!({"grpc": {"port": "http"}}), "/grpc/port: expected an integer, not \"http\""),
        (json!({"grpc": {"port": 80, "service": 1}}), "/grpc/service: expected a string, not 1"),
        (
            json!({"httpGet": {"port": 80, "path": {}}}),
            "/httpGet/path: expected a string, not an object",
        ),
        (json!({"httpGet": {"port": 80, "host": 1}}), "/httpGet/host: expected a string, not 1"),
        (
            json!({"tcpSocket": {"port": 80, "host": 1}}),
            "/tcpSocket/host: expected a string, not 1",
        ),
        (
            json!({"httpGet": {"port": 80, "scheme": false}}),
            "/httpGet/scheme: expected a string, not false",
        ),
        (
            json!({"httpGet": {"port": 80, "protocol": 2}}),
            "/httpGet/protocol: expected a string, not 2",
        ),
        (json!({"grpc": {"port": 80, "mode": []}}), "/grpc/mode: expected a string, not an array"),
        (
            json!({"httpGet": {"port": 80, "httpHeaders": {}}}),
            "/httpGet/httpHeaders: expected an array, not an object",
        ),
        (
            json!({"httpGet": {"port": 80, "httpHeaders": [{"name": "a"}, null]}}),
            "/httpGet/httpHeaders/1: expected an object, not null",
        ),
        (
            json!({"httpGet": {"port": 80, "httpHeaders": [{"value": 1}]}}),
            "/httpGet/httpHeaders/0/value: expected a string, not 1",
        ),
        (
            json!({"tcpSocket": {"port": 80}, "timeoutSeconds": -1}),
            "/timeoutSeconds: -1 is not a number of seconds",
        ),
        (
            json!({"tcpSocket": {"port": 80}, "timeoutSeconds": 2147483648_u64}),
            "/timeoutSeconds: 2147483648 is not a number of seconds",
        ),
        (
            json!({"tcpSocket": {"port": 80}, "timeoutSeconds": "1s"}),
            "/timeoutSeconds: expected an integer, not \"1s\"",
        ),
    ] {
        let app = json!({"name": "app", "livenessProbe": probe});
        refused(&with_sidecar(app), &format!("/spec/containers/1/livenessProbe{error}"));
    }
}

#[test]
fn what_surrounds_a_probe_is_read_too() {
    let probe = json!({"tcpSocket": {"port": "http"}});
    for (key, value, error) in [
        ("lifecycle", json!([]), "/lifecycle: expected an object, not an array"),
        ("lifecycle", json!({"preStop": 1}), "/lifecycle/preStop: expected an object, not 1"),
        ("resources", json!([]), "/resources: expected an object, not an array"),
        (
            "resources",
            json!({"requests": {"cpu": true}}),
            "/resources/requests/cpu: expected a quantity, not true",
        ),
        ("ports", json!({}), "/ports: expected an array, not an object"),
        ("ports", json!(["http"]), "/ports/0: expected an object, not \"http\""),
        ("ports", json!([{"name": "http"}]), "/ports/0: needs a containerPort"),
        (
            "ports",
            json!([{}, {"name": "http", "containerPort": 0}]),
            "/ports/1/containerPort: expected a port from 1 to 65535, not 0",
        ),
    ] {
        let app = json!({"name": "app", "livenessProbe": probe, key: value});
        refused(&with_sidecar(app), &format!("/spec/containers/1{error}"));
    }
}

#[test]
fn the_sidecars_env_is_read_too() {
    for (env, error) in [
        (json!({}), "/env: expected an array, not an object"),
        (json!(["A"]), "/env/0: expected an object, not \"A\""),
        (json!([{"name": 1}]), "/env/0/name: expected a string, not 1"),
        (
            json!([{"name": "ISTIO_KUBE_APP_PROBERS", "value": {}}]),
            "/env/0/value: expected a string, not an object",
        ),
    ] {
        let pod = json!({"spec": {"containers": [{"name": "istio-proxy", "env": env}]}});
        refused(&pod, &format!("/spec/containers/0{error}"));
    }
}

#[test]
fn the_agents_command_is_read_too() {
    for (key, value, error) in [
        ("args", json!("serve"), "/args: expected an array, not \"serve\""),
        ("command", json!(["agent", 1]), "/command/1: expected a string, not 1"),
    ] {
        let pod = json!({"spec": {"containers": [{"name": "app-health-agent", key: value}]}});
        refused(&pod, &format!("/spec/containers/0{error}"));
    }
}

/// Whether it would be rewritten or not.
#[test]
fn a_pod_that_is_left_alone_is_refused_all_the_same() {
    let app = json!({"name": "app", "livenessProbe": {}});
    let mut pod = with_sidecar(app);
    pod["spec"]["hostNetwork"] = json!(true);
    pod["metadata"] = json!({"annotations": {"sidecar.istio.io/rewriteAppHTTPProbers": "false"}});
    let error =
        "/spec/containers/1/livenessProbe: needs a handler: httpGet, tcpSocket, grpc or exec";
    refused(&pod, error);
}

/// It is the sidecar's own affair, and what a pod does not have is nobody's.
#[test]
fn what_is_not_read_is_not_refused() {
    for pod in [
        json!({}),
        json!({"metadata": null, "spec": null}),
        json!({"spec": {"containers": null}}),
        json!({"spec": {"containers": [{"name": "istio-proxy", "livenessProbe": 1}]}}),
        json!({"spec": {"containers": [{"name": "app", "env": 1, "ports": 1, "image": 1}]}}),
    ] {
        let rewrite = rewrite(&pod, &Options::default()).unwrap();
        assert_eq!((rewrite.patch, rewrite.warnings), (vec![], vec![]), "{pod}");
    }
}

fn with_sidecar(app: Value) -> Value {
    json!({"spec": {"containers": [{"name": "istio-proxy"}, app]}})
}

#[track_caller]
fn refused(pod: &Value, error: &str) {
    for transform in [rewrite, restore] {
        let refused = transform(pod, &Options::default()).map(|_| ());
        assert_eq!(refused.map_err(|malformed| malformed.to_string()), Err(error.to_owned()));
    }
}
