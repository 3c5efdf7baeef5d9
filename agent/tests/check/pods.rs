//! Each code that pods have.

use serde_json::{Value, json};

use crate::{
    RECORDED, chosen, deployment, found, found_by, manifest, namespace, pod, rewritten, with,
};

fn http(port: impl Into<Value>) -> Value {
    json!({"httpGet": {"port": port.into()}})
}

fn excluding(pod: &Value, containers: &str) -> Value {
    with(pod, "/metadata/annotations", json!({"app-health/rewrite-exclude": containers}))
}

#[test]
fn ah001_a_pod_that_was_missed() {
    let missed = pod("", json!({"readinessProbe": http(80)}));
    assert_eq!(found(&[missed.clone(), chosen()]), ["AH001"]);
    let annotated = |ours: &str, istios: &str| {
        let both =
            json!({"app-health/rewrite": ours, "sidecar.istio.io/rewriteAppHTTPProbers": istios});
        with(&missed, "/metadata/annotations", both)
    };
    assert_eq!(found(&[annotated("true", "false"), chosen()]), ["AH001"]);
    assert_eq!(found(&[excluding(&missed, "istio-proxy"), chosen()]), ["AH001"]);
    let off = json!({"sidecar.istio.io/rewriteAppHTTPProbers": "false"});
    let port = "/spec/containers/0/readinessProbe/httpGet/port";
    for (why, objects) in [
        ("rewritten", vec![rewritten(RECORDED), chosen()]),
        ("to another port", vec![with(&rewritten(RECORDED), port, 15021.into()), chosen()]),
        ("not chosen", vec![missed.clone(), namespace(json!({}))]),
        ("nothing to rewrite", vec![pod("", json!({"readinessProbe": {"exec": {}}})), chosen()]),
        ("switched off", vec![with(&missed, "/metadata/annotations", off), chosen()]),
        ("switched off by ours", vec![annotated("false", "true"), chosen()]),
        ("excluded", vec![excluding(&missed, "web"), chosen()]),
        ("no sidecar", vec![with(&missed, "/spec/containers/1/name", "x".into()), chosen()]),
        ("its own network", vec![with(&missed, "/spec/hostNetwork", true.into()), chosen()]),
        ("has ended", vec![with(&missed, "/status", json!({"phase": "Succeeded"})), chosen()]),
        ("not there yet", vec![manifest(&missed), chosen()]),
        ("not known", vec![missed.clone()]),
    ] {
        assert!(found(&objects).is_empty(), "{why}: {:?}", found(&objects));
    }
    let sidecar = with(&missed, "/spec/containers/1/name", "envoy".into());
    assert_eq!(found_by("--sidecar envoy", &[sidecar, chosen()]), ["AH001"]);
    assert!(found_by("--default-rewrite false", &[missed, chosen()]).is_empty());
}

/// Between the two calls of the webhook it went away: Istio's rewrite is off, and nobody made another.
#[test]
fn ah001_a_pod_whose_rewrite_was_switched_and_not_done() {
    let missed = pod("", json!({"readinessProbe": http(80)}));
    let switched = |pod: &Value| {
        let annotations = json!({
            "app-health/rewrite": "true",
            "sidecar.istio.io/rewriteAppHTTPProbers": "false",
        });
        with(pod, "/metadata/annotations", annotations)
    };
    let run = crate::check("", switched(&missed).to_string());
    let says = "not rewritten, nor by Istio, whose rewrite is off: web/readinessProbe";
    assert!(run.stdout.contains("AH001") && run.stdout.contains(says), "{}", run.stdout);
    assert!(run.stdout.contains("or delete it"), "{}", run.stdout);
    assert_eq!(found(&[switched(&missed), chosen()]), ["AH001"]);
    assert!(found(&[switched(&missed), namespace(json!({}))]).is_empty(), "not chosen");
    assert!(found(&[switched(&rewritten(RECORDED))]).is_empty());
    assert!(found(&[switched(&manifest(&missed))]).is_empty(), "not there yet");
}

#[test]
fn ah001_a_label_of_the_pod_itself() {
    let missed = pod("", json!({"readinessProbe": http(80)}));
    let labelled =
        |value: &str| with(&missed, "/metadata/labels", json!({"app-health/rewrite": value}));
    assert_eq!(found(&[labelled("enabled")]), ["AH001"]);
    assert!(found(&[labelled("disabled"), chosen()]).is_empty());
}

#[test]
fn ah002_a_rewritten_probe_without_its_entry() {
    assert_eq!(found(&[rewritten("{}")]), ["AH002 web/readinessProbe"]);
    assert_eq!(found(&[rewritten("{}"), chosen()]), ["AH002 web/readinessProbe"]);
    assert!(found(&[rewritten(RECORDED)]).is_empty());
    let bare = with(&rewritten(RECORDED), "/spec/containers/1/name", "x".into());
    assert_eq!(found(&[bare]), ["AH002 web/readinessProbe"], "no sidecar has the variable");
    // Another container's path is no rewrite of this probe.
    let foreign = json!({"httpGet": {"path": "/app-health/other/readyz", "port": 80}});
    assert!(found(&[pod("", json!({"readinessProbe": foreign}))]).is_empty());
    let hook = json!({"preStop": {"httpGet": {"path": "/app-lifecycle/web/prestopz", "port": 1}}});
    assert_eq!(found(&[pod("{}", json!({"lifecycle": hook}))]), ["AH002 web/preStop"]);
}

#[test]
fn ah003_a_variable_that_cannot_be_read() {
    for variable in ["{", "[]", "nonsense"] {
        assert_eq!(found(&[rewritten(variable)]), ["AH003"], "{variable}");
    }
    let invalid = RECORDED.replace("80", "0");
    assert_eq!(found(&[rewritten(&invalid)]), ["AH003 web/readinessProbe"]);
    let key = RECORDED.replacen('{', r#"{"/ready":{"tcpSocket":{"port":1}},"#, 1);
    assert_eq!(found(&[rewritten(&key)]), ["AH003"]);
    let env = json!([{"name": "ISTIO_KUBE_APP_PROBERS", "valueFrom": {"configMapKeyRef": {}}}]);
    let elsewhere = with(&rewritten(RECORDED), "/spec/containers/1/env", env);
    assert_eq!(found(&[elsewhere]), ["AH003"]);
    assert!(found(&[rewritten(RECORDED)]).is_empty());
    // Of several the last counts.
    let env = |first: &str, last: &str| {
        let one = |value: &str| json!({"name": "ISTIO_KUBE_APP_PROBERS", "value": value});
        with(&rewritten(""), "/spec/containers/1/env", json!([one(first), one(last)]))
    };
    assert!(found(&[env("{", RECORDED)]).is_empty());
    assert_eq!(found(&[env(RECORDED, "{")]), ["AH003"]);
}

#[test]
fn ah004_an_entry_of_a_container_that_is_gone() {
    let gone = RECORDED.replacen('{', r#"{"/app-health/old/livez":{"tcpSocket":{"port":1}},"#, 1);
    assert_eq!(found(&[rewritten(&gone)]), ["AH004 old/livenessProbe"]);
    let init = json!([{"name": "old"}]);
    assert!(found(&[with(&rewritten(&gone), "/spec/initContainers", init)]).is_empty());
}

#[test]
fn ah005_a_probe_that_stays_and_why() {
    let host = json!({"httpGet": {"port": 80, "host": "other"}});
    for (web, expected) in [
        (json!({"readinessProbe": host}), "AH005 web/readinessProbe host"),
        (json!({"livenessProbe": http(15020)}), "AH005 web/livenessProbe status_port"),
        (
            json!({"lifecycle": {"preStop": {"tcpSocket": {"port": 1}}}}),
            "AH005 web/preStop tcp_hook",
        ),
        (json!({"livenessProbe": {"later": {}}}), "AH005 web/livenessProbe unknown_handler"),
        (json!({"livenessProbe": {"httpGet": {"port": []}}}), "AH005 malformed"),
    ] {
        assert_eq!(found(&[pod("", web.clone()), chosen()]), [expected], "{web}");
        // Before it is applied, and before it has a sidecar.
        assert_eq!(found(&[deployment(web.clone())]), [expected], "{web}");
        assert!(found(&[pod("", web), namespace(json!({}))]).is_empty(), "{expected}");
    }
    let run = crate::check("", deployment(json!({"livenessProbe": {}})).to_string());
    let at = "  /spec/template/spec/containers/0/livenessProbe: needs a handler";
    assert!(run.stdout.contains(at), "{}", run.stdout);
    assert!(found(&[deployment(json!({"readinessProbe": http(80)}))]).is_empty());
    assert!(found(&[deployment(json!({"readinessProbe": {"exec": {}}}))]).is_empty());
    let annotated = json!({"sidecar.istio.io/rewriteAppHTTPProbers": "perhaps"});
    let annotated =
        with(&pod("", json!({"readinessProbe": http(80)})), "/metadata/annotations", annotated);
    assert_eq!(found(&[manifest(&annotated)]), ["AH005 annotation"]);
    let excluded = excluding(&pod("", json!({"readinessProbe": host})), "web");
    assert!(found(&[excluded, chosen()]).is_empty());
    // Rewritten because its exclusion is misspelt.
    let misspelt = excluding(&rewritten(RECORDED), "wep");
    assert_eq!(found(&[misspelt, chosen()]), ["AH005 annotation"]);
    // What Istio left in a probe is not what AH002 says.
    let left = json!({"httpGet": {
        "path": "/app-health/web/readyz", "port": 15020, "protocol": "HTTP2",
    }});
    let https = RECORDED.replace("80", r#"80,"scheme":"HTTPS""#);
    let left = pod(&https, json!({"readinessProbe": left}));
    assert_eq!(found(&[left]), ["AH005 web/readinessProbe original_lost"]);
}

#[test]
fn ah006_a_named_port_that_does_not_resolve() {
    let named = json!({"readinessProbe": http("http")});
    let expected = ["AH006 web/readinessProbe named_port"];
    assert_eq!(found(&[pod("", named.clone()), chosen()]), expected);
    assert_eq!(found(&[deployment(named.clone())]), expected);
    let ports = json!([{"name": "http", "containerPort": 80}]);
    let resolved = json!({"readinessProbe": http("http"), "ports": ports});
    assert!(found(&[deployment(resolved)]).is_empty());
}

#[test]
fn ah007_a_timeout_above_the_period() {
    for (timing, is_above) in [
        (json!({"timeoutSeconds": 6, "periodSeconds": 5}), true),
        (json!({"timeoutSeconds": 5, "periodSeconds": 5}), false),
        (json!({"timeoutSeconds": 11}), true),
        (json!({"timeoutSeconds": 10}), false),
        (json!({"timeoutSeconds": 2, "periodSeconds": 0}), false),
        (json!({"periodSeconds": 1}), false),
    ] {
        let mut probe = http(80);
        probe.as_object_mut().unwrap().extend(timing.as_object().unwrap().clone());
        let found = found(&[deployment(json!({"readinessProbe": probe}))]);
        let expected: &[&str] = if is_above { &["AH007 web/readinessProbe"] } else { &[] };
        assert_eq!(found, expected, "{timing}");
    }
}

/// Istio's injector leaves it there.
#[test]
fn ah012_a_rewritten_probe_with_a_host() {
    let host = |pod: &Value, host: &str| {
        with(pod, "/spec/containers/0/readinessProbe/httpGet/host", host.into())
    };
    let expected = ["AH012 web/readinessProbe"];
    assert_eq!(found(&[host(&rewritten(RECORDED), "127.0.0.1")]), expected);
    assert_eq!(found(&[manifest(&host(&rewritten(RECORDED), "127.0.0.1"))]), expected);
    assert!(found(&[host(&rewritten(RECORDED), "")]).is_empty());
    let hook = json!({"httpGet": {"path": "/app-lifecycle/web/prestopz", "port": 1, "host": "a"}});
    let recorded = r#"{"/app-lifecycle/web/prestopz":{"httpGet":{"port":80}}}"#;
    let hook = pod(recorded, json!({"lifecycle": {"preStop": hook}}));
    assert_eq!(found(&[hook]), ["AH012 web/preStop"]);
    let run = crate::check("", host(&rewritten(RECORDED), "a\u{1b}").to_string());
    assert!(run.stdout.contains(r#"it asks the host "a\u{1b}""#), "{}", run.stdout);
}
