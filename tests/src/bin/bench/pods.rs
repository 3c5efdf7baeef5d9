//! Pods to rewrite: the same ones every time.

use serde_json::{Value, json};

const REVIEW: &str = include_str!("../../../golden/admission/create-pod.json");
const REVIEW_SIZE: usize = 15_000;

/// A pod of 2 KB: an app with three probes, and the sidecar.
pub fn pod(number: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("hello-{number:05}"),
            "namespace": "shop",
            "labels": {"app": "hello", "pod-template-hash": "5d9c7b6f8", "security.istio.io/tlsMode": "istio"},
            "annotations": {
                "prometheus.io/scrape": "true",
                "sidecar.istio.io/status": "{\"initContainers\":[\"istio-init\"],\"containers\":[\"istio-proxy\"]}",
            },
        },
        "spec": {
            "serviceAccountName": "default",
            "restartPolicy": "Always",
            "containers": [app(), sidecar()],
            "volumes": [
                {"name": "istio-envoy", "emptyDir": {"medium": "Memory"}},
                {"name": "kube-api-access", "projected": {"defaultMode": 420, "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                ]}},
            ],
        },
    })
}

fn app() -> Value {
    let probe = |handler: &str, check: Value| json!({handler: check, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3});
    json!({
        "name": "hello",
        "image": "registry.example.com/shop/hello:1.27.3",
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": "LOG_LEVEL", "value": "info"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": probe("httpGet", json!({"path": "/readyz?full=1", "port": "http", "scheme": "HTTP"})),
        "livenessProbe": probe("tcpSocket", json!({"port": 8080})),
        "startupProbe": probe("httpGet", json!({"path": "/started", "port": 8080, "scheme": "HTTPS"})),
        "volumeMounts": [{"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}],
    })
}

fn sidecar() -> Value {
    json!({
        "name": "istio-proxy",
        "image": "docker.io/istio/proxyv2:1.27.1",
        "args": ["proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local", "--proxyLogLevel=warning"],
        "ports": [{"name": "http-envoy-prom", "containerPort": 15090, "protocol": "TCP"}],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "INSTANCE_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
        "securityContext": {"runAsUser": 1337, "runAsNonRoot": true, "allowPrivilegeEscalation": false},
    })
}

/// So many pods, one after the other.
pub fn stream(count: usize) -> String {
    (0..count).map(|number| format!("{}\n", pod(number))).collect()
}

/// So many pods in a List.
pub fn list(count: usize) -> String {
    let items: Vec<String> = (0..count).map(|number| pod(number).to_string()).collect();
    format!(r#"{{"apiVersion":"v1","kind":"List","items":[{}]}}"#, items.join(","))
}

/// The review of such a pod.
pub fn review(number: usize) -> String {
    let mut review = golden();
    review["request"]["object"] = pod(number);
    review.to_string()
}

/// A review of 15 KB: three containers with six probes, and two that were injected.
pub fn large_review() -> String {
    let mut review = golden();
    let containers = &mut review["request"]["object"]["spec"]["containers"];
    containers[0].as_object_mut().expect("a container").remove("lifecycle");
    let hello = containers[0].clone();
    for name in ["two", "three"] {
        let mut container = hello.clone();
        container["name"] = json!(name);
        containers.as_array_mut().expect("a list").push(container);
    }
    let spare = REVIEW_SIZE - review.to_string().len();
    review["request"]["object"]["metadata"]["annotations"]["spare"] = json!("x".repeat(spare));
    review.to_string()
}

fn golden() -> Value {
    serde_json::from_str(REVIEW).expect("the golden review is JSON")
}

#[cfg(test)]
mod tests {
    use app_health_webhook::admission::{ReviewOutcome, Task, admit};
    use app_health_webhook::rewrite::{Options, rewrite};

    use super::*;

    #[test]
    fn a_pod_has_two_kilobytes_and_three_probes_that_are_rewritten() {
        let pod = pod(7);
        let size = pod.to_string().len();
        assert!((1_900..2_200).contains(&size), "{size}");
        let rewrite = rewrite(&pod, &Options::default()).expect("a pod");
        assert_eq!(rewrite.probes.iter().filter(|probe| probe.to.is_ok()).count(), 3);
        assert!(rewrite.warnings.is_empty(), "{:?}", rewrite.warnings);
    }

    #[test]
    fn reviews_are_patched() {
        for (review, probes) in [(review(7), 3), (large_review(), 6)] {
            let admission =
                admit(review.as_bytes(), &Task::Rewrite, &Options::default()).expect("a review");
            assert_eq!(admission.outcome, ReviewOutcome::Patched);
            assert_eq!(admission.rewritten.len(), probes);
        }
        assert!((15_000..15_100).contains(&large_review().len()));
    }
}
