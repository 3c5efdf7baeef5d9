//! The MutatingWebhookConfiguration.

use std::fs;

use app_health_tests::manifest::documents;
use app_health_tests::{process, program};
use serde_json::{Value, json};

use super::built::{only, variant, variants};

/// The one webhook of a variant's configuration.
fn webhook(objects: &[Value]) -> &Value {
    let webhooks = &only(objects, "MutatingWebhookConfiguration")["webhooks"];
    assert_eq!(webhooks.as_array().map(Vec::len), Some(1));
    &webhooks[0]
}

#[test]
fn what_the_api_server_is_told() {
    for variant in variants() {
        let webhook = webhook(&variant.objects);
        for (field, expected) in [
            ("admissionReviewVersions", json!(["v1"])),
            ("failurePolicy", json!("Ignore")),
            ("reinvocationPolicy", json!("IfNeeded")),
            ("sideEffects", json!("None")),
            ("timeoutSeconds", json!(5)),
        ] {
            assert_eq!(webhook[field], expected, "{field}");
        }
        let rules = json!([{
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["pods"],
            "scope": "Namespaced",
        }]);
        assert_eq!(webhook["rules"], rules);
        assert_eq!(webhook["clientConfig"]["service"]["path"], "/mutate");
        assert_eq!(webhook["clientConfig"].get("caBundle"), None);
    }
}

#[test]
fn it_is_called_after_the_injectors_of_istio() {
    for variant in variants() {
        let configuration = only(&variant.objects, "MutatingWebhookConfiguration");
        let name = configuration["metadata"]["name"].as_str().expect("a name");
        for injector in ["istio-sidecar-injector", "istio-revision-tag-default"] {
            assert!(name > injector, "{name} comes before {injector}");
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

/// A namespace's labels: its name, as the API server sets it, and ours.
fn namespace(name: &str, ours: Option<&str>) -> Value {
    let mut labels = json!({"kubernetes.io/metadata.name": name});
    if let Some(value) = ours {
        labels["app-health/rewrite"] = value.into();
    }
    labels
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
                let selector = &webhook(objects)["namespaceSelector"];
                let actual = selects(selector, &namespace(name, label));
                assert_eq!(actual, expected, "{certificate}, {choice}: {name} {label:?}");
            }
        }
    }
}

#[test]
fn a_pod_opts_out_by_its_label() {
    for variant in variants() {
        let selector = &webhook(&variant.objects)["objectSelector"];
        for (labels, expected) in [
            (json!({}), true),
            (json!({"app": "shop"}), true),
            (json!({"app-health/rewrite": "enabled"}), true),
            (json!({"app-health/rewrite": "disabled"}), false),
        ] {
            assert_eq!(selects(selector, &labels), expected, "{labels}");
        }
    }
}

/// Its own namespace is left out by its label as well: also under another name.
#[test]
fn its_own_namespace_is_labelled() {
    for variant in variants() {
        let labels = &only(&variant.objects, "Namespace")["metadata"]["labels"];
        assert!(!selects(&webhook(&variant.objects)["namespaceSelector"], labels));
        assert_eq!(labels["istio-injection"], "disabled");
    }
}

/// `app-health-agent certs`, without options, is for these manifests.
#[test]
fn what_certs_prints_fits() {
    let mut command = process::command(program::agent());
    let printed = process::run(command.arg("certs"), "").succeeded();
    let command = printed.lines().next().and_then(|line| line.strip_prefix("# "));
    let command = command.expect("how it is applied");
    for readme in ["README.md", "envoy-config/webhook/README.md"] {
        let readme = fs::read_to_string(program::root().join(readme)).expect("a README");
        assert!(readme.contains(&format!("app-health-agent certs | {command}")), "{readme}");
    }
    let printed = documents(&printed);
    let objects = &variant("self-signed", "opt-in").objects;
    let (secret, filled) =
        (only(&printed, "Secret"), only(&printed, "MutatingWebhookConfiguration"));

    let deployment = only(objects, "Deployment");
    let volume = &deployment["spec"]["template"]["spec"]["volumes"][0]["secret"];
    assert_eq!(secret["metadata"]["name"], volume["secretName"]);
    assert_eq!(secret["metadata"]["namespace"], deployment["metadata"]["namespace"]);
    for item in volume["items"].as_array().expect("items") {
        assert!(secret["data"].get(item["key"].as_str().expect("a key")).is_some(), "{item}");
    }

    let configuration = only(objects, "MutatingWebhookConfiguration");
    assert_eq!(filled["metadata"]["name"], configuration["metadata"]["name"]);
    assert_eq!(filled["webhooks"][0]["name"], configuration["webhooks"][0]["name"]);
}
