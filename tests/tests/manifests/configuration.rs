//! The MutatingWebhookConfiguration.

use std::fs;

use app_health_tests::kustomize::build_text;
use app_health_tests::manifest::documents;
use app_health_tests::{process, program};
use serde_json::{Value, json};

use super::built::{
    FILTER, REWRITE, kustomization, named, only, variant, variants, webhook, webhooks,
};

/// The other webhook of the configuration [`FILTER`].
pub const SWITCH: &str = "switch.webhook.app-health";

#[test]
fn what_the_api_server_is_told() {
    for variant in variants() {
        for (name, path, reinvocation, timeout) in [
            (FILTER, "/mutate/filter/true", "Never", 2),
            (SWITCH, "/mutate/switch", "Never", 2),
            (REWRITE, "/mutate", "IfNeeded", 5),
        ] {
            let webhook = webhook(&variant.objects, name);
            for (field, expected) in [
                ("admissionReviewVersions", json!(["v1"])),
                ("failurePolicy", json!("Ignore")),
                ("reinvocationPolicy", json!(reinvocation)),
                ("sideEffects", json!("None")),
                ("timeoutSeconds", json!(timeout)),
            ] {
                assert_eq!(webhook[field], expected, "{name}: {field}");
            }
            let rules = json!([{
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["pods"],
                "scope": "Namespaced",
            }]);
            assert_eq!(webhook["rules"], rules, "{name}");
            assert_eq!(webhook["clientConfig"]["service"]["path"], path, "{name}");
            assert_eq!(webhook["clientConfig"].get("caBundle"), None, "{name}");
        }
        assert_eq!(webhooks(&variant.objects).count(), 3);
    }
}

#[test]
fn one_is_called_before_the_injectors_of_istio_and_one_after() {
    for variant in variants() {
        for injector in ["istio-sidecar-injector", "istio-revision-tag-default"] {
            for (name, is_before) in [(FILTER, true), (REWRITE, false)] {
                let configuration = named(&variant.objects, "MutatingWebhookConfiguration", name);
                let name = configuration["metadata"]["name"].as_str().expect("a name");
                assert_eq!(name < injector, is_before, "{name}, {injector}");
            }
        }
    }
}

/// As the API server does, of `matchExpressions` alone.
fn selects(selector: &Value, labels: &Value) -> bool {
    let names: Vec<_> = selector.as_object().expect("a selector").keys().collect();
    assert_eq!(names, ["matchExpressions"]);
    let expressions = selector["matchExpressions"].as_array().expect("a list");
    expressions.iter().all(|expression| {
        let label = labels.get(expression["key"].as_str().expect("a key"));
        let values = expression["values"].as_array().expect("values");
        let is_one = label.is_some_and(|label| values.contains(label));
        match expression["operator"].as_str() {
            Some("In") => is_one,
            Some("NotIn") => !is_one,
            other => panic!("{other:?}"),
        }
    })
}

/// Whether a webhook is asked about pods of a namespace with this name, as the API server has it in a
/// label, and these labels of ours.
pub fn chooses(webhook: &Value, name: &str, ours: &Value) -> bool {
    let mut labels = json!({"kubernetes.io/metadata.name": name});
    json_patch::merge(&mut labels, ours);
    selects(&webhook["namespaceSelector"], &labels)
}

fn rewrite(label: Option<&str>) -> Value {
    label.map_or(json!({}), |label| json!({"app-health/rewrite": label}))
}

#[test]
fn whose_pods_are_chosen() {
    for (name, label, opt_in, opt_out) in [
        ("shop", None, false, true),
        ("shop", Some("enabled"), true, true),
        ("shop", Some("disabled"), false, false),
        ("shop", Some("true"), false, true),
        // Whatever they are labelled.
        ("kube-system", None, false, false),
        ("kube-system", Some("enabled"), false, false),
        ("app-health", Some("enabled"), false, false),
        ("app-health", None, false, false),
    ] {
        for (choice, expected) in [("opt-in", opt_in), ("opt-out", opt_out)] {
            for certificate in ["self-signed", "cert-manager"] {
                let objects = &variant(certificate, choice).objects;
                let actual = chooses(webhook(objects, REWRITE), name, &rewrite(label));
                assert_eq!(actual, expected, "{certificate}, {choice}: {name} {label:?}");
            }
        }
    }
}

/// Whatever is chosen for the rewrite, and whether that has a choice of its own.
#[test]
fn whose_pods_are_given_the_filter_and_are_switched() {
    for variant in variants() {
        for (name, labels, filter, switch) in [
            ("shop", json!({}), false, false),
            ("shop", json!({"app-health/filter": "enabled"}), true, false),
            ("shop", json!({"app-health/filter": "true"}), false, false),
            ("shop", json!({"app-health/rewrite": "enabled"}), false, true),
            (
                "shop",
                json!({"app-health/filter": "enabled", "app-health/rewrite": "enabled"}),
                true,
                true,
            ),
            (
                "shop",
                json!({"app-health/filter": "enabled", "app-health/rewrite": "disabled"}),
                true,
                false,
            ),
            (
                "kube-system",
                json!({"app-health/filter": "enabled", "app-health/rewrite": "enabled"}),
                false,
                false,
            ),
            (
                "app-health",
                json!({"app-health/filter": "enabled", "app-health/rewrite": "enabled"}),
                false,
                false,
            ),
        ] {
            for (webhook_name, expected) in [(FILTER, filter), (SWITCH, switch)] {
                let webhook = webhook(&variant.objects, webhook_name);
                let actual = chooses(webhook, name, &labels);
                assert_eq!(actual, expected, "{webhook_name}: {name} {labels}");
            }
        }
    }
}

/// Where Istio's rewrite is switched off, this one is asked.
#[test]
fn whoever_is_switched_is_rewritten() {
    for variant in variants() {
        for label in [None, Some("enabled"), Some("disabled"), Some("true")] {
            let chooses = |name| chooses(webhook(&variant.objects, name), "shop", &rewrite(label));
            assert!(!chooses(SWITCH) || chooses(REWRITE), "{label:?}");
        }
        let pods = |name| &webhook(&variant.objects, name)["objectSelector"];
        assert_eq!(pods(SWITCH), pods(REWRITE));
    }
}

#[test]
fn a_pod_opts_out_by_its_label() {
    for variant in variants() {
        for (name, label, no) in [
            (REWRITE, "app-health/rewrite", "disabled"),
            (SWITCH, "app-health/rewrite", "disabled"),
            (FILTER, "app-health/filter", "false"),
        ] {
            let selector = &webhook(&variant.objects, name)["objectSelector"];
            for (labels, expected) in [
                (json!({}), true),
                (json!({"app": "shop"}), true),
                (json!({label: "enabled"}), true),
                (json!({label: no}), false),
            ] {
                assert_eq!(selects(selector, &labels), expected, "{name}: {labels}");
            }
        }
    }
}

/// Its own namespace is left out by its label as well: also under another name.
#[test]
fn its_own_namespace_is_labelled() {
    for variant in variants() {
        let labels = &only(&variant.objects, "Namespace")["metadata"]["labels"];
        for (_, webhook) in webhooks(&variant.objects) {
            assert!(!selects(&webhook["namespaceSelector"], labels));
        }
        assert_eq!(labels["istio-injection"], "disabled");
    }
}

/// `app-health-agent certs`, without options, is for these manifests.
/// By the line of the kustomization that is there for it.
#[test]
fn its_namespace_may_have_another_name() {
    let objects = build_text(&(kustomization() + "namespace: probes\n"));
    let service = only(&objects, "Service");
    assert_eq!(service["metadata"]["namespace"], "probes");
    for (_, webhook) in webhooks(&objects) {
        assert_eq!(webhook["clientConfig"]["service"]["namespace"], "probes");
        let labels = &only(&objects, "Namespace")["metadata"]["labels"];
        assert!(!selects(&webhook["namespaceSelector"], labels));
    }
    let within = objects.iter().filter(|object| object["metadata"]["namespace"].is_string());
    assert!(within.clone().count() > 5);
    assert!(within.clone().all(|object| object["metadata"]["namespace"] == "probes"));
    assert_eq!(only(&objects, "Namespace")["metadata"]["name"], "probes");
}

#[test]
fn what_certs_prints_fits() {
    let mut command = process::command(program::agent());
    let printed = process::run(command.arg("certs"), "").succeeded();
    let command = printed.lines().next().and_then(|line| line.strip_prefix("# "));
    let command = command.expect("how it is applied");
    let readme = program::root().join("envoy-config/webhook/README.md");
    let readme = fs::read_to_string(readme).expect("a README");
    assert!(readme.contains(&format!("app-health-agent certs |\n  {command}")), "{readme}");
    let printed = documents(&printed);
    let objects = &variant("self-signed", "opt-in").objects;
    let secret = only(&printed, "Secret");

    let deployment = only(objects, "Deployment");
    let volume = &deployment["spec"]["template"]["spec"]["volumes"][0]["secret"];
    assert_eq!(secret["metadata"]["name"], volume["secretName"]);
    assert_eq!(secret["metadata"]["namespace"], deployment["metadata"]["namespace"]);
    for item in volume["items"].as_array().expect("items") {
        assert!(secret["data"].get(item["key"].as_str().expect("a key")).is_some(), "{item}");
    }

    let names = |objects| {
        let pairs = webhooks(objects).map(|(configuration, webhook)| {
            [&configuration["metadata"]["name"], &webhook["name"]].map(Clone::clone)
        });
        pairs.collect::<Vec<_>>()
    };
    assert_eq!(names(&printed), names(objects));
    for (_, webhook) in webhooks(&printed) {
        assert_eq!(webhook["clientConfig"]["caBundle"], secret["data"]["ca.crt"]);
    }
}
