//! Where the pods of a manifest are, and the minimal sidecar for a pod that has none.

use app_health_webhook::manifest::{Owner, owner, pods};
use app_health_webhook::patch::apply;
use app_health_webhook::rewrite::{Options, add_sidecar, rewrite};
use serde_json::{Value, json};

fn pointers(manifest: &Value) -> Vec<String> {
    pods(manifest).unwrap().iter().map(|at| at.pointer.to_string()).collect()
}

#[test]
fn each_kind_has_its_pod_in_its_place() {
    let template = json!({"template": {}, "jobTemplate": {"spec": {"template": {}}}});
    let containers = json!({"template": {"spec": {"containers": []}}});
    for (api_version, kind, pointer) in [
        ("v1", "Pod", ""),
        ("apps/v1", "Deployment", "/spec/template"),
        ("apps/v1beta2", "StatefulSet", "/spec/template"),
        ("apps/v1", "DaemonSet", "/spec/template"),
        ("apps/v1", "ReplicaSet", "/spec/template"),
        ("v1", "ReplicationController", "/spec/template"),
        ("batch/v1", "Job", "/spec/template"),
        ("batch/v1beta1", "CronJob", "/spec/jobTemplate/spec/template"),
        ("v1", "PodTemplate", "/template"),
        ("argoproj.io/v1alpha1", "Rollout", "/spec/template"),
    ] {
        let spec = if kind == "Rollout" { &containers } else { &template };
        let mut manifest =
            json!({"apiVersion": api_version, "kind": kind, "spec": spec, "template": {}});
        assert_eq!(pointers(&manifest), [pointer], "{kind}");
        let expected = [format!("/items/1{pointer}")];
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [{}, manifest]});
        assert_eq!(pointers(&list), expected, "{kind}");
        manifest["kind"].take();
        manifest["apiVersion"].take();
        let kind = format!("{kind}List");
        let other = json!({"apiVersion": "v1", "kind": "Service"});
        let list = json!({"apiVersion": api_version, "kind": kind, "items": [other, manifest]});
        assert_eq!(pointers(&list), expected, "{kind}");
    }
}

#[test]
fn anything_else_has_no_pods() {
    for manifest in [
        json!(null),
        json!([]),
        json!({}),
        json!({"kind": "Pod"}),
        json!({"apiVersion": 1, "kind": "Pod"}),
        json!({"apiVersion": "v2", "kind": "Pod"}),
        json!({"apiVersion": "batch.volcano.sh/v1", "kind": "Job", "spec": {"template": {}}}),
        json!({"apiVersion": "v1", "kind": "Deployment", "spec": {"template": {}}}),
        json!({"apiVersion": "apps/v1", "kind": "ReplicationController", "spec": {"template": {}}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment"}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": null}}),
        json!({"apiVersion": "v1", "kind": "List", "items": null}),
        json!({"apiVersion": "example.com/v1", "kind": "List", "items": [1]}),
        json!({"apiVersion": "v1", "kind": "List", "items": [{"spec": {}}]}),
        json!({"apiVersion": "v1", "kind": "PodList", "items": null}),
        json!({"apiVersion": "example.com/v1", "kind": "AllowList", "items": {}}),
        json!({"apiVersion": "example.com/v1", "kind": "AllowList", "items": ["10.0.0.1"]}),
        json!({"apiVersion": "example.com/v1", "kind": "Thing", "spec": {"template": {"spec": {}}}}),
    ] {
        assert_eq!(pods(&manifest), Ok(vec![]), "{manifest}");
    }
}

#[test]
fn a_wrong_type_on_the_way_is_refused() {
    for (manifest, error) in [
        (
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": []}),
            "/spec: expected an object, not an array",
        ),
        (
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": "x"}}),
            "/spec/template: expected an object, not \"x\"",
        ),
        (
            json!({"apiVersion": "v1", "kind": "List", "items": {}}),
            "/items: expected an array, not an object",
        ),
        (
            json!({"apiVersion": "v1", "kind": "List", "items": [
                {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": 1}},
            ]}),
            "/items/0/spec/template: expected an object, not 1",
        ),
        (
            json!({"apiVersion": "v1", "kind": "PodList", "items": [5]}),
            "/items/0: expected an object, not 5",
        ),
    ] {
        let refused = pods(&manifest).map(|_| ());
        assert_eq!(refused.map_err(|e| e.to_string()), Err(error.to_owned()));
    }
}

#[test]
fn an_owner_is_named_as_far_as_it_says() {
    let named = |metadata| json!({"kind": "Job", "metadata": metadata});
    for (manifest, (namespace, name)) in [
        (named(json!({"name": "a", "generateName": "b-", "namespace": "n"})), ("n", "a")),
        (named(json!({"generateName": "b-"})), ("", "b-")),
        (named(json!({"name": "", "generateName": "b-"})), ("", "b-")),
        (named(json!({"name": 1})), ("", "")),
        (named(json!(null)), ("", "")),
    ] {
        assert_eq!(owner(&manifest), Owner { kind: "Job", namespace, name }, "{manifest}");
    }
    assert_eq!(owner(&json!([1])), Owner { kind: "", namespace: "", name: "" });
}

const IMAGE: &str = "envoyproxy/envoy:distroless-v1.40-latest";

#[test]
fn a_pod_without_a_sidecar_can_be_given_one() {
    let plain = json!({"name": "istio-proxy", "image": IMAGE});
    let native = json!({"name": "istio-proxy", "image": IMAGE, "restartPolicy": "Always"});
    for (spec, expected) in [
        (json!({"containers": [{"name": "a"}]}), json!({"containers": [{"name": "a"}, plain]})),
        (
            json!({"restartPolicy": "Always", "containers": null}),
            json!({"restartPolicy": "Always", "containers": [plain]}),
        ),
        (
            json!({"restartPolicy": "Never", "initContainers": [{"name": "i"}]}),
            json!({"restartPolicy": "Never", "initContainers": [native, {"name": "i"}]}),
        ),
        (
            json!({"restartPolicy": "OnFailure"}),
            json!({"restartPolicy": "OnFailure", "initContainers": [native]}),
        ),
        (
            json!({"initContainers": [{"name": "istio-proxy"}]}),
            json!({"initContainers": [{"name": "istio-proxy"}]}),
        ),
    ] {
        let mut pod = json!({"spec": spec});
        let patch = add_sidecar(&pod, "istio-proxy").unwrap();
        apply(&mut pod, &patch).unwrap();
        assert_eq!(pod["spec"], expected);
    }
}

#[test]
fn its_probes_are_rewritten_then() {
    let probe = json!({"httpGet": {"path": "/", "port": 80}});
    let mut pod = json!({"spec": {"containers": [{"name": "a", "readinessProbe": probe}]}});
    let patch = add_sidecar(&pod, "envoy").unwrap();
    apply(&mut pod, &patch).unwrap();
    let options = Options { sidecars: vec!["envoy".to_owned()], ..Options::default() };
    let reports = rewrite(&pod, &options).unwrap().probes;
    assert_eq!(reports[0].from, "httpGet :80/");
    assert_eq!(reports[0].to, Ok(":15020/app-health/a/readyz".to_owned()));
    assert_eq!(add_sidecar(&json!({"metadata": {}}), "envoy"), Ok(vec![]));
}
