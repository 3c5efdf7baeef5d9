//! The webhook's CA, and which pods it chooses.

use app_health_tests::manifest::text_to_json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::{check, found, manifest, namespace, pod, with};

/// A certificate that is valid between these days from now.
fn ca(from: i64, until: i64) -> String {
    let mut params = CertificateParams::new([]).unwrap();
    let now = OffsetDateTime::now_utc();
    params.not_before = now + Duration::days(from);
    params.not_after = now + Duration::days(until);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

/// The configuration as it is in a cluster, with this caBundle.
fn configuration(bundle: &str) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "rewrite.webhook.app-health", "uid": "1"},
        "webhooks": [{
            "name": "rewrite.webhook.app-health",
            "clientConfig": {"service": {"name": "a", "namespace": "a"}, "caBundle": bundle},
            "rules": [{}],
        }],
    })
}

fn found_of(pem: &str) -> Vec<String> {
    found(&[configuration(&STANDARD.encode(pem))])
}

#[test]
fn ah008_no_ca() {
    let none = configuration("");
    assert_eq!(found(std::slice::from_ref(&none)), ["AH008"]);
    let null = with(&none, "/webhooks/0/clientConfig/caBundle", Value::Null);
    assert_eq!(found(&[null]), ["AH008"]);
    assert!(found_of(&ca(-1, 365)).is_empty());
    assert!(found(&[manifest(&none)]).is_empty(), "it is filled in once it is applied");
    let url = with(&none, "/webhooks/0/clientConfig", json!({"url": "https://a.example"}));
    assert!(found(&[url]).is_empty());
    let other = with(&none, "/webhooks/0/name", "istio.example".into());
    assert!(found(&[other]).is_empty());
}

#[test]
fn ah009_a_ca_that_has_expired_or_is_none() {
    assert_eq!(found_of(&ca(-30, -1)), ["AH009"]);
    assert_eq!(found_of(&ca(1, 365)), ["AH009"]);
    assert_eq!(found_of("no certificate"), ["AH009"]);
    assert_eq!(found(&[configuration("not base64")]), ["AH009"]);
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(found_of(garbage), ["AH009"]);
    // While it is replaced, both are there.
    assert!(found_of(&(ca(-30, -1) + &ca(-1, 365))).is_empty());
}

#[test]
fn ah010_a_ca_that_ends_soon() {
    assert_eq!(found_of(&ca(-1, 29)), ["AH010"]);
    assert!(found_of(&ca(-1, 31)).is_empty());
    assert!(found_of(&(ca(-1, 29) + &ca(-1, 365))).is_empty());
    let file = manifest(&configuration(&STANDARD.encode(ca(-1, 29))));
    assert_eq!(found(&[file]), ["AH010"]);
}

#[test]
fn what_certs_prints_has_a_ca_and_chooses_nobody() {
    let program = app_health_tests::process::command(crate::BINARY).arg("certs").output().unwrap();
    let run = check("", &program.stdout);
    assert_eq!(
        (run.exit, run.stdout.as_str()),
        (0, "pods and templates: 0, errors: 0, warnings: 0\n")
    );
    let missed = pod("", json!({"readinessProbe": {"httpGet": {"port": 80}}}));
    let full = configuration(&STANDARD.encode(ca(-1, 365)));
    let part = with(&full, "/webhooks/0/rules", Value::Null);
    let unchosen = namespace(json!({}));
    assert_eq!(found(&[missed.clone(), unchosen.clone(), full]), ["AH001"]);
    assert!(found(&[missed, unchosen, part]).is_empty());
}

/// The selectors of the configuration in the input take the place of the label.
#[test]
fn a_webhook_chooses_pods_by_its_own_selectors() {
    let missed = pod("", json!({"readinessProbe": {"httpGet": {"port": 80}}}));
    let ca = configuration(&STANDARD.encode(ca(-1, 365)));
    let by = |namespaces: Value, pods: Value| {
        let ca = with(&ca, "/webhooks/0/namespaceSelector", namespaces);
        with(&ca, "/webhooks/0/objectSelector", pods)
    };
    let name = |operator: &str| {
        let key = "kubernetes.io/metadata.name";
        json!({"matchExpressions": [{"key": key, "operator": operator, "values": ["shop"]}]})
    };
    let none = namespace(json!({}));
    for (namespaces, pods, is_chosen) in [
        (json!({}), json!({}), true),
        (name("In"), json!({}), true),
        (name("NotIn"), json!({}), false),
        (json!({"matchLabels": {"app-health/rewrite": "enabled"}}), json!({}), false),
        (json!({}), json!({"matchLabels": {"a": "b"}}), false),
    ] {
        let found = found(&[missed.clone(), none.clone(), by(namespaces.clone(), pods.clone())]);
        assert_eq!(!found.is_empty(), is_chosen, "{namespaces} {pods}: {found:?}");
    }
    assert_eq!(
        found(&[missed.clone(), by(json!({}), json!({}))]),
        ["AH001"],
        "whatever its labels"
    );
    assert!(found(&[missed, by(name("In"), json!({}))]).is_empty(), "not known");
}

#[test]
fn ah013_a_webhook_without_pods() {
    let shipped = include_str!("../../../envoy-config/webhook/base/deployment.yaml");
    let shipped = text_to_json(shipped);
    let with_replicas = |replicas: u32| with(&shipped, "/spec/replicas", replicas.into());
    let in_cluster = |deployment: &Value, status: Value| {
        with(&with(deployment, "/metadata/uid", "1".into()), "/status", status)
    };
    let other = with(&with_replicas(0), "/spec/template/spec/containers/0/args", json!(["serve"]));
    for (why, deployment, expected) in [
        ("as it ships", shipped.clone(), &[] as &[&str]),
        ("scaled to nothing", with_replicas(0), &["AH013"]),
        ("up", in_cluster(&shipped, json!({"availableReplicas": 1})), &[]),
        ("none is up", in_cluster(&shipped, json!({"replicas": 2})), &["AH013"]),
        ("another's", in_cluster(&other, json!({})), &[]),
        ("another kind", with(&with_replicas(0), "/kind", "ReplicaSet".into()), &[]),
    ] {
        let found = found(&[deployment]);
        assert_eq!(found, expected, "{why}");
    }
    let run = check("", in_cluster(&with_replicas(0), json!({})).to_string());
    assert!(run.stdout.contains("replicas: 0, available: 0"), "{}", run.stdout);
}
