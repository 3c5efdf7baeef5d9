//! A label without its listener's EnvoyFilter.

use app_health_tests::manifest::text_to_json;
use serde_json::{Value, json};

use crate::{RECORDED, check, found, found_by, list, namespace, pod, rewritten, with};

fn labelled(value: &str) -> Value {
    with(&pod("", json!({})), "/metadata/labels", json!({"app-health/filter": value}))
}

/// The same, with this in the environment of its sidecar.
fn with_env(pod: &Value, env: &[(&str, &str)]) -> Value {
    let env: Vec<_> =
        env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    with(pod, "/spec/containers/1/env", env.into())
}

/// What the annotations of the filter come to.
const MOVED: (&str, &str) = ("PROXY_CONFIG", r#"{"statusPort":15019}"#);
const REVISION: &str = "ISTIO_META_APP_HEALTH_FILTER";

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
fn ah011_pilot_agent_has_left_and_nobody_has_come() {
    let unlabelled = with_env(&pod("", json!({})), &[MOVED]);
    let here = filter("shop", 15020, json!({}));
    let elsewhere = filter("other", 15020, json!({}));
    for pod in [&unlabelled, &with_env(&labelled("true"), &[MOVED])] {
        assert_eq!(found(&[pod.clone(), elsewhere.clone()]), ["AH011"]);
        assert!(found(&[pod.clone(), here.clone()]).is_empty());
        assert!(found_by("--status-port 15021", std::slice::from_ref(pod)).is_empty(), "not known");
    }
    let in_mesh = [unlabelled, elsewhere.clone()];
    assert!(found_by("--status-port 15019", &in_mesh).is_empty(), "pilot-agent answers");
    for config in ["{}", r#"{"statusPort":15021}"#, "nonsense"] {
        let pod = with_env(&pod("", json!({})), &[("PROXY_CONFIG", config)]);
        assert!(found(&[pod, elsewhere.clone()]).is_empty(), "{config}");
    }
}

/// By the metadata, which is of one revision too.
#[test]
fn ah011_a_proxy_that_the_patches_do_not_match() {
    let metadata = json!({"proxy": {"metadata": {"APP_HEALTH_FILTER": "true"}}});
    let filter =
        with(&filter("istio-system", 15020, json!({})), "/spec/configPatches/0/match", metadata);
    for (env, matches) in [
        (&[MOVED, (REVISION, "true")][..], true),
        (&[MOVED, (REVISION, "canary")], false),
        (&[MOVED], false),
    ] {
        let pod = with_env(&labelled("true"), env);
        let expected: &[&str] = if matches { &[] } else { &["AH011"] };
        assert_eq!(found(&[pod.clone(), filter.clone()]), expected, "{env:?}");
        assert!(found(&[crate::manifest(&pod), filter.clone()]).is_empty(), "not there yet");
    }
}

/// The label is the template's own, and the webhook was away.
#[test]
fn ah015_the_label_alone() {
    let there = filter("shop", 15020, json!({}));
    for (config, found_there) in
        [("{}", "15020"), (r#"{"statusPort":15021}"#, "15021"), (MOVED.1, "")]
    {
        let pod = with_env(&labelled("true"), &[("PROXY_CONFIG", config)]);
        let expected: &[&str] = if found_there.is_empty() { &[] } else { &["AH015"] };
        assert_eq!(found(&[pod.clone(), there.clone()]), expected, "{config}");
        assert_eq!(found(std::slice::from_ref(&pod)), expected, "whatever EnvoyFilters there are");
        let run = check("", list(std::slice::from_ref(&pod)));
        assert_eq!(run.exit, i32::from(!found_there.is_empty()));
        let says = format!("app-health/filter=true: pilot-agent is on {found_there}, not on 15019");
        assert_eq!(run.stdout.contains(&says), !found_there.is_empty(), "{}", run.stdout);
        assert!(found(&[crate::manifest(&pod)]).is_empty(), "the webhook may do the rest");
        let opted_out = with(&pod, "/metadata/labels/app-health~1filter", "false".into());
        assert!(found(&[opted_out, there.clone()]).is_empty());
    }
}

/// Made while the webhook was away, or before its namespace had the label.
#[test]
fn ah015_a_pod_of_a_labelled_namespace_without_it() {
    let sidecar = |config: &str| with_env(&pod("", json!({})), &[("PROXY_CONFIG", config)]);
    let missed = sidecar("{}");
    let labelled = |value: &str| namespace(json!({"app-health/filter": value}));
    let says = "app-health/filter=enabled in its namespace: pilot-agent is on 15020, not on 15019";
    let run = check("", list(&[labelled("enabled"), missed.clone()]));
    assert!(run.stdout.contains(says) && run.exit == 1, "{}", run.stdout);
    for value in ["disabled", ""] {
        assert!(found(&[labelled(value), missed.clone()]).is_empty(), "{value}");
    }
    let enabled = labelled("enabled");
    let annotated =
        |name: &str, text: &str| with(&missed, "/metadata/annotations", json!({name: text}));
    let own = |value: &str| with(&missed, "/metadata/labels", json!({"app-health/filter": value}));
    for (pod, is_missed) in [
        (own(""), true),
        (annotated("proxy.istio.io/config", "concurrency: 2"), true),
        (own("false"), false),
        (annotated("proxy.istio.io/config", "a: &b c\nd: *b"), false),
        (annotated("proxy.istio.io/config", "statusPort: 15021"), false),
        (annotated("status.sidecar.istio.io/port", "15020"), false),
        (annotated("inject.istio.io/templates", "sidecar,mine"), false),
        (with(&missed, "/spec/hostNetwork", true.into()), false),
        (with(&missed, "/metadata/namespace", "other".into()), false),
        (with(&missed, "/status", json!({"phase": "Succeeded"})), false),
        (crate::manifest(&missed), false),
        // Not Istio's.
        (pod("", json!({})), false),
    ] {
        let expected: &[&str] = if is_missed { &["AH015"] } else { &[] };
        assert_eq!(found(&[enabled.clone(), pod.clone()]), expected, "{pod}");
    }
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

/// Said before its first new pod.
#[test]
fn ah011_a_namespace_whose_new_pods_would_lack_it() {
    let labelled = |value: &str| namespace(json!({"app-health/filter": value}));
    let labels = |value: &str| json!({"labels": {"app-health/filter": value}});
    for (filter, listens) in [
        (filter("istio-system", 15020, labels("true")), true),
        (filter("shop", 15020, Value::Null), true),
        (filter("other", 15020, labels("true")), false),
        (filter("istio-system", 15020, labels("canary")), false),
        (filter("istio-system", 15021, labels("true")), false),
    ] {
        let expected: &[&str] = if listens { &[] } else { &["AH011"] };
        assert_eq!(found(&[labelled("enabled"), filter.clone()]), expected, "{filter}");
        assert!(found(&[labelled("disabled"), filter]).is_empty());
    }
    assert_eq!(found_by("--complete", &[labelled("enabled")]), ["AH011"]);
    assert!(found(&[labelled("enabled")]).is_empty(), "an input that does not tell");
    // Without the webhook that gives it, as by the chart with `envoyFilter: false`, pilot-agent answers.
    for (webhook, expected) in [("filter", &["AH011"][..]), ("switch", &[])] {
        let webhooks = json!([{"name": format!("{webhook}.webhook.app-health")}]);
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "filter.webhook.app-health"}, "webhooks": webhooks,
        });
        let mut found = found_by("--complete", &[labelled("enabled"), configuration]);
        found.retain(|code| code == "AH011");
        assert_eq!(found, expected, "{webhook}");
    }
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
    let shipped = text_to_json(&shipped.replace(&"0".repeat(64), SUM));
    let shipped = with(&shipped, "/metadata/namespace", "shop".into());
    let pod = with_env(&labelled("true"), &[MOVED, (REVISION, "true")]);
    assert!(found(&[pod, shipped.clone()]).is_empty());
    assert_eq!(found(&[with_env(&labelled("true"), &[MOVED]), shipped]), ["AH011"]);
}

const SUM: &str = "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e";

/// Whatever is fetched would be refused.
#[test]
fn ah016_a_sum_that_is_none() {
    let shipped = text_to_json(include_str!("../../../envoy-config/istio/envoyfilter.yaml"));
    let remote = "/spec/configPatches/1/patch/value/typed_config/config/vm_config/code/remote";
    let of = |sum: &str, uri: &str| {
        let filter = with(&shipped, &format!("{remote}/sha256"), sum.into());
        with(&filter, &format!("{remote}/http_uri/uri"), uri.into())
    };
    let zeros = "0".repeat(64);
    let (upper, other) = (SUM.to_uppercase(), "17".repeat(32));
    let served = |sum: &str| format!("http://app-health-webhook.app-health.svc/{sum}.wasm");
    for (sum, uri, says) in [
        (SUM, &*served(SUM), ""),
        (&upper, &served(SUM), "is not 64 hexadecimal digits in lower case"),
        (SUM, &served(&upper), ""),
        // Another server's path is its own affair.
        (SUM, "https://files.example/app_health_filter.wasm", ""),
        (SUM, "oci://registry.example/app-health-filter:0.1.0", ""),
        (SUM, &served(&other), "the uri has another sum"),
        (&zeros, &served(&zeros), "is all zeros"),
        (&SUM[1..], &served(SUM), "is not 64 hexadecimal digits"),
        (&SUM.replace('5', "g"), &served(SUM), "is not 64 hexadecimal digits"),
        ("SHA256", &served("SHA256"), "is not 64 hexadecimal digits"),
        ("", &served(SUM), "is not 64 hexadecimal digits"),
    ] {
        let run = check("--complete", list(&[of(sum, uri)]));
        assert_eq!(run.stdout.contains("AH016"), !says.is_empty(), "{sum} {uri}: {}", run.stdout);
        assert!(run.stdout.contains(says), "{says}: {}", run.stdout);
        assert_eq!(run.exit, if says.is_empty() { 0 } else { 1 });
    }
    let code = remote.trim_end_matches("/remote");
    let local = with(&shipped, code, json!({"local": {"filename": "/a.wasm"}}));
    let others = with(&shipped, "/spec/configPatches/1/patch/value/name", "mine".into());
    assert!(found(&[local]).is_empty() && found(&[others]).is_empty());
}
