//! Pods in objects that are none of Kubernetes' usual workloads.

use serde_json::{Value, json};

use crate::{CONFIG_MAP, DEPLOYMENT, REWRITTEN, agent, output};

/// The Deployment, under another name.
fn renamed(text: &str, api_version: &str, kind: &str) -> String {
    let text = text.replace("apiVersion: apps/v1", &format!("apiVersion: {api_version}"));
    text.replace("kind: Deployment", &format!("kind: {kind}"))
}

/// A run of each kind of output succeeds with these warnings and changes nothing.
fn stays(text: &str, warnings: &str) {
    for args in ["rewrite -f -", "restore -f -"] {
        let run = agent(args, text);
        assert_eq!((run.exit, run.stdout.as_str(), run.stderr.as_str()), (0, text, warnings));
        let run = agent(&format!("{args} -o patch"), text);
        assert_eq!((run.exit, run.stderr.as_str()), (0, warnings));
        assert!(run.stdout.ends_with("\"patch\":[]}\n"), "{}", run.stdout);
    }
}

#[test]
fn workloads_of_other_operators_are_rewritten_and_restored() {
    for (api_version, kind) in [
        ("argoproj.io/v1alpha1", "Rollout"),
        ("apps.kruise.io/v1alpha1", "CloneSet"),
        ("serving.knative.dev/v1", "Service"),
        ("extensions/v1beta1", "Deployment"),
    ] {
        let before = renamed(DEPLOYMENT, api_version, kind);
        let after = renamed(REWRITTEN, api_version, kind);
        assert_eq!(output("rewrite -f -", &before), after);
        assert_eq!(output("restore -f -", &after), before);
        let json = output("rewrite -f - -o json", &before);
        assert_eq!(json, output("rewrite -f - -o json", &after));
        assert_eq!(
            output("restore -f -", &json),
            output("restore -f - -o json", &before),
            "{kind}"
        );
        let list = |items: &str| {
            let items = items.trim_end().replace('\n', "\n  ");
            format!("apiVersion: v1\nkind: List\nitems:\n- {items}\n")
        };
        assert_eq!(output("rewrite -f -", &list(&before)), list(&after));
    }
}

#[test]
fn a_pod_template_has_its_pod_at_its_top() {
    let pod = |text: &str| {
        let (_, template) = text.split_once("  template:\n").unwrap();
        let template: String = template.lines().map(|line| format!("{}\n", &line[2..])).collect();
        format!("apiVersion: v1\nkind: PodTemplate\nmetadata: {{name: t}}\ntemplate:\n{template}")
    };
    assert_eq!(output("rewrite -f -", &pod(DEPLOYMENT)), pod(REWRITTEN));
    assert_eq!(output("restore -f -", &pod(REWRITTEN)), pod(DEPLOYMENT));
}

/// The API server leaves out of its lists what their items are.
#[test]
fn lists_of_one_kind_are_rewritten_and_restored() {
    let items = |text: &str, kind: &str| {
        let (_, item) = text.split_once("kind: Deployment\n").unwrap();
        let item = item.trim_end().replace('\n', "\n  ");
        format!("apiVersion: apps/v1\nkind: {kind}\nitems:\n- {item}\n- {item}\n")
    };
    for kind in ["DeploymentList", "ReplicaSetList"] {
        let (before, after) = (items(DEPLOYMENT, kind), items(REWRITTEN, kind));
        assert_eq!(output("rewrite -f -", &before), after);
        assert_eq!(output("restore -f -", &after), before);
        // Of JSON the items are read one by one.
        let json = output("rewrite -f - -o json", &after);
        let plain = output("restore -f -", &json);
        assert_eq!(plain, output("rewrite -f - --default-rewrite false -o json", &before));
        assert_eq!(output("rewrite -f -", &plain), json);
        assert_eq!(output("rewrite -f - -o yaml", &plain).matches("port: 15020").count(), 4);
        let patch = output("rewrite -f - -o patch", &plain);
        assert_eq!(patch, output("rewrite -f - -o patch", &before));
        assert!(patch.contains("\"/items/1/spec/template/spec/containers/1/"), "{patch}");
    }
}

#[test]
fn an_item_of_a_list_of_one_kind_is_called_by_it() {
    let pod = json!({"spec": {"containers": [{"name": "c", "livenessProbe": {"tcpSocket": {"port": 1}}}]}});
    let list = json!({"kind": "PodList", "apiVersion": "v1", "items": [pod]});
    for args in ["rewrite -f -", "rewrite -f - -o yaml", "rewrite -f - -o patch"] {
        let run = agent(args, list.to_string());
        assert!(run.exit == 0 && run.stderr.starts_with("Pod: "), "{}", run.stderr);
    }
}

/// Pods that are in none of the places that are known, among objects that have none.
#[test]
fn what_only_looks_like_a_pod_is_named() {
    let probe = json!({"httpGet": {"port": 80}});
    let container = json!({"name": "c", "livenessProbe": probe});
    for (spec, place) in [
        (
            json!({"jobTargetRef": {"template": {"spec": {"containers": [{"name": "b"}, container]}}}}),
            "jobTargetRef/template/spec/containers/1/livenessProbe",
        ),
        (
            json!({"templates": [{"container": {"lifecycle": {"preStop": {"tcpSocket": {"port": 1}}}}}]}),
            "templates/0/container/lifecycle/preStop",
        ),
        (json!({"a\nb/c": {"startupProbe": {"grpc": {"port": 1}}}}), "a\\nb~1c/startupProbe"),
        (
            json!({"template": {"spec": {"containers": null, "readinessProbe": probe}}}),
            "template/spec/readinessProbe",
        ),
    ] {
        let object = json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec});
        let warning = format!("t: /spec/{place}: not where pods have probes; it stays as it was\n");
        stays(&object.to_string(), &warning);
        // In a list the warning is the same, read at once or item by item.
        for list in [
            json!({"apiVersion": "v1", "kind": "List", "items": [object]}).to_string(),
            json!({"apiVersion": "example.com/v1", "kind": "ThingList", "items": [object]})
                .to_string(),
            format!("apiVersion: v1\nkind: List\nitems:\n- {object}\n"),
        ] {
            stays(&list, &warning);
        }
    }
}

#[test]
fn what_has_no_probe_that_asks_a_port_is_passed_through_in_silence() {
    let schema = json!({"properties": {"livenessProbe": {"type": "object", "properties":
        {"httpGet": {"type": "object", "properties": {"port": {}}}}}}});
    for spec in [
        schema,
        json!({"template": {"spec": {"containers": null}}}),
        json!({"template": "x"}),
        json!(["livenessProbe", {"livenessProbe": {"exec": {}, "httpGet": "x"}}]),
    ] {
        let object: Value = json!({"apiVersion": "example.com/v1", "kind": "Thing", "spec": spec});
        stays(&object.to_string(), "");
    }
    stays(CONFIG_MAP, "");
}

/// A workload of Kubernetes' own is refused for the same.
#[test]
fn what_is_no_pod_where_a_pod_would_be_is_named() {
    let named = |kind: &str, containers: Value| {
        let spec = json!({"template": {"spec": {"containers": containers}}});
        json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "t"}, "spec": spec})
            .to_string()
    };
    for (containers, problem) in [
        (json!(5), "expected an array, not 5"),
        (json!([{"name": "c", "livenessProbe": {"httpGet": {"path": "/"}}}]), "needs a port"),
    ] {
        let thing = named("Thing", containers.clone());
        let refused = agent("rewrite -f -", named("Deployment", containers));
        let (_, reason) = refused.stderr.trim_end().split_once("document 1: ").unwrap();
        assert!(refused.exit == 65 && reason.ends_with(problem), "{reason}");
        stays(&thing, &format!("t: {reason}; it stays as it was\n"));
    }
}
