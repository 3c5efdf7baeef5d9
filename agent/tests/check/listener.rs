//! A label without its listener's EnvoyFilter.

use app_health_tests::manifest::text_to_json;
use serde_json::{Value, json};

use crate::{RECORDED, check, found, found_by, list, pod, rewritten, with};

fn labelled(value: &str) -> Value {
    with(&pod("", json!({})), "/metadata/labels", json!({"app-health/filter": value}))
}

fn filter(namespace: &str, port: u16, selector: Value) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "app-health", "namespace": namespace},
        "spec": {
            "workloadSelector": selector,
            "configPatches": [{"applyTo": "LISTENER", "patch": {
                "operation": "ADD",
                "value": {"address": {"socket_address": {"address": "::", "port_value": port}}},
            }}],
        },
    })
}

#[test]
fn ah011_a_label_without_its_listener() {
    let labels = json!({"labels": {"app-health/filter": "true"}});
    let other = json!({"labels": {"app-health/filter": "canary"}});
    let merges = with(
        &filter("shop", 15020, labels.clone()),
        "/spec/configPatches/0/patch/operation",
        "MERGE".into(),
    );
    for (filter, listens) in [
        (filter("shop", 15020, labels.clone()), true),
        (filter("istio-system", 15020, labels.clone()), true),
        (filter("shop", 15020, Value::Null), true),
        (filter("other", 15020, labels.clone()), false),
        (filter("shop", 15021, labels.clone()), false),
        (filter("shop", 15020, other), false),
        (merges, false),
    ] {
        let expected: &[&str] = if listens { &[] } else { &["AH011"] };
        assert_eq!(found(&[labelled("true"), filter.clone()]), expected, "{filter}");
        assert!(found(&[labelled("false"), filter.clone()]).is_empty(), "{filter}");
        assert!(found(&[pod("", json!({})), filter]).is_empty());
    }
    let root = [labelled("true"), filter("mesh", 15020, labels.clone())];
    assert!(found_by("--root-namespace mesh", &root).is_empty());
    let port = [labelled("true"), filter("shop", 15021, labels)];
    assert!(found_by("--status-port 15021", &port).is_empty());
}

#[test]
fn ah014_a_probe_that_asks_another_port_than_its_listeners() {
    let label = json!({"app-health/filter": "true"});
    let pod = with(&rewritten(RECORDED), "/metadata/labels", label);
    let at = |port: u16| with(&pod, "/spec/containers/0/readinessProbe/httpGet/port", port.into());
    let on = |port: u16| filter("shop", port, json!({}));
    let expected = ["AH014 web/readinessProbe"];
    assert_eq!(found(&[at(15021), on(15020)]), expected);
    assert!(found(&[at(15020), on(15020)]).is_empty());
    assert!(found(&[at(15021), on(15020), on(15021)]).is_empty());
    assert!(found(&[at(15021)]).is_empty(), "no EnvoyFilter is known");
    assert_eq!(found(&[at(15020), on(15021)]), ["AH011"], "said once");
    let unlabelled = with(&at(15021), "/metadata/labels", json!({}));
    assert!(found(&[unlabelled, on(15020)]).is_empty(), "its listener is another's affair");
    let config = json!({"name": "PROXY_CONFIG", "value": "{\"statusPort\":15019}"});
    let variable = json!({"name": "ISTIO_KUBE_APP_PROBERS", "value": RECORDED});
    let moved = |port| with(&at(port), "/spec/containers/1/env", json!([config, variable]));
    assert!(found(&[moved(15019), on(15020)]).is_empty(), "pilot-agent answers");
    assert_eq!(found(&[moved(15021), on(15020)]), expected);
}

/// An input without any EnvoyFilter does not say whether the cluster has one.
#[test]
fn it_is_judged_where_the_input_tells() {
    let run = check("", list(&[labelled("true")]));
    assert_eq!(run.exit, 0, "{}", run.stdout);
    assert!(run.stderr.contains("the listener of 1 pod (no EnvoyFilter)"), "{}", run.stderr);
    assert_eq!(found_by("--complete", &[labelled("true")]), ["AH011"]);
}

#[test]
fn the_envoyfilter_that_ships_gives_it() {
    let shipped = include_str!("../../../envoy-config/istio/envoyfilter.yaml");
    let shipped = with(&text_to_json(shipped), "/metadata/namespace", "shop".into());
    assert!(found(&[labelled("true"), shipped]).is_empty());
}
