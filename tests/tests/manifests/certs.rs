//! The jobs of `self-signed`, which make and renew the certificate.

use std::collections::BTreeSet;

use app_health_tests::cluster::Cluster;
use app_health_tests::{process, program};
use serde_json::{Value, json};

use super::built::{Variant, named, only, variant, webhooks};

const NAME: &str = "app-health-certs";
const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/";

fn built() -> &'static Variant {
    variant("self-signed", "opt-in")
}

/// The pods of the CronJob and of the Job.
fn templates() -> [&'static Value; 2] {
    let spec = |kind| &named(&built().objects, kind, NAME)["spec"];
    [&spec("CronJob")["jobTemplate"]["spec"]["template"], &spec("Job")["template"]]
}

/// Of their one container, as the kubelet gives them to it.
fn arguments(namespace: &str) -> impl Iterator<Item = String> {
    let container = &templates()[0]["spec"]["containers"][0];
    let field = json!({"fieldRef": {"fieldPath": "metadata.namespace"}});
    assert_eq!(container["env"], json!([{"name": "NAMESPACE", "valueFrom": field}]));
    let arguments = container["args"].as_array().expect("a list").iter();
    arguments.map(move |it| it.as_str().expect("text").replace("$(NAMESPACE)", namespace))
}

/// What may be done to which object, by either role.
fn rights(namespace: &str) -> BTreeSet<(String, String)> {
    let mut rights = BTreeSet::new();
    for kind in ["Role", "ClusterRole"] {
        let rules = named(&built().objects, kind, NAME)["rules"].as_array().expect("a list");
        for rule in rules {
            let list = |name: &str| {
                let list = rule[name].as_array().expect("a list").iter();
                list.map(|it| it.as_str().expect("text").to_owned()).collect::<Vec<_>>()
            };
            let resources = list("resources");
            let folder = match resources.as_slice() {
                [one] if one == "secrets" => format!("/api/v1/namespaces/{namespace}/secrets/"),
                [one] if one == "mutatingwebhookconfigurations" => CONFIGURATIONS.to_owned(),
                other => panic!("{other:?}"),
            };
            for name in list("resourceNames") {
                rights.extend(
                    list("verbs").into_iter().map(|verb| (verb, format!("{folder}{name}"))),
                );
            }
        }
    }
    rights
}

/// The same objects in an API server, and the same arguments: they need all their rights, and no others.
#[test]
fn they_make_the_certificate_and_may_do_no_more() {
    let cluster = Cluster::new();
    let objects = &built().objects;
    let secret = only(objects, "Secret");
    let namespace = secret["metadata"]["namespace"].as_str().expect("a name");
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let secret_path =
        format!("/api/v1/namespaces/{namespace}/secrets/{}", text(&secret["metadata"]["name"]));
    cluster.set(&secret_path, secret.clone());
    for (configuration, _) in webhooks(objects) {
        let path = format!("{CONFIGURATIONS}{}", text(&configuration["metadata"]["name"]));
        cluster.set(&path, configuration.clone());
    }
    let mut command = process::command(program::agent());
    process::run(cluster.within(command.args(arguments(namespace))), "").succeeded();

    let data = cluster.get(&secret_path)["data"].clone();
    let items = built().pod()["volumes"][0]["secret"]["items"].as_array().expect("items");
    for item in items {
        assert!(data[item["key"].as_str().expect("a key")].is_string(), "{item}");
    }
    for (configuration, webhook) in webhooks(objects) {
        let path = format!("{CONFIGURATIONS}{}", text(&configuration["metadata"]["name"]));
        let object = cluster.get(&path);
        let mut webhooks = object["webhooks"].as_array().expect("a list").iter();
        let now = webhooks.find(|it| it["name"] == webhook["name"]).expect("it is still there");
        assert_eq!(now["clientConfig"]["caBundle"], data["ca.crt"]);
    }
    let asked = cluster.requests().into_iter().map(|(request, _)| {
        let (method, path) = request.split_once(' ').expect("a path");
        let verb = match method {
            "GET" => "get",
            "PUT" => "update",
            "PATCH" => "patch",
            other => panic!("{other}"),
        };
        (verb.to_owned(), path.to_owned())
    });
    assert_eq!(asked.collect::<BTreeSet<_>>(), rights(namespace));
}

#[test]
fn the_roles_are_theirs_alone() {
    let objects = &built().objects;
    let account = named(objects, "ServiceAccount", NAME);
    assert_eq!(account["automountServiceAccountToken"], false);
    for (role, binding) in [("Role", "RoleBinding"), ("ClusterRole", "ClusterRoleBinding")] {
        let binding = only(objects, binding);
        let subject = json!({
            "kind": "ServiceAccount",
            "name": NAME,
            "namespace": account["metadata"]["namespace"],
        });
        assert_eq!(binding["subjects"], json!([subject]));
        let expected = (json!(role), named(objects, role, NAME)["metadata"]["name"].clone());
        assert_eq!(
            (binding["roleRef"]["kind"].clone(), binding["roleRef"]["name"].clone()),
            expected
        );
    }
    for object in &variant("cert-manager", "opt-in").objects {
        assert!(!object["kind"].as_str().expect("a kind").contains("Role"), "{object}");
    }
}

/// Nothing is written into it here that a later apply would write again; and no type, which could not
/// be that of a Secret that is there.
#[test]
fn the_secret_is_empty() {
    let mut secret = only(&built().objects, "Secret").clone();
    let mounted = &built().pod()["volumes"][0]["secret"]["secretName"];
    assert_eq!(secret["metadata"]["name"], *mounted);
    secret["metadata"]["labels"].take();
    let metadata = json!({"name": mounted, "namespace": "app-health", "labels": null});
    assert_eq!(secret, json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata}));
}

#[test]
fn their_pods_are_as_hardened_as_the_webhooks() {
    let [daily, at_once] = templates();
    assert_eq!(daily, at_once);
    let pod = &daily["spec"];
    assert_eq!(pod["serviceAccountName"], NAME);
    assert_eq!(pod["automountServiceAccountToken"], true);
    assert_eq!(pod["enableServiceLinks"], false);
    assert_eq!(pod["securityContext"], built().pod()["securityContext"]);
    assert_eq!(pod["containers"].as_array().map(Vec::len), Some(1));
    let (container, webhook) = (&pod["containers"][0], built().container());
    for field in ["image", "securityContext"] {
        assert_eq!(container[field], webhook[field]);
    }
    assert!(container["resources"]["limits"]["memory"].is_string());
}

/// They are no pods of the Service, and have a policy of their own.
#[test]
fn nobody_reaches_them_and_they_reach_one() {
    let objects = &built().objects;
    let labels = &templates()[0]["metadata"]["labels"];
    assert_eq!(labels["app"], NAME);
    let policy = &named(objects, "NetworkPolicy", NAME)["spec"];
    assert_eq!(policy["podSelector"]["matchLabels"], json!({"app": NAME}));
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(policy["ingress"], json!([]));
    let egress = policy["egress"].as_array().expect("a list");
    assert_eq!(egress.len(), 1);
    for port in egress[0]["ports"].as_array().expect("ports") {
        assert_eq!(port["protocol"], "TCP");
        assert!(port["port"].is_u64(), "{port}");
    }
    let webhook = json!({"app": "app-health-webhook"});
    assert_eq!(only(objects, "Service")["spec"]["selector"], webhook);
}

#[test]
fn they_run_once_a_day_and_at_once() {
    let daily = &named(&built().objects, "CronJob", NAME)["spec"];
    let schedule: Vec<_> = daily["schedule"].as_str().expect("text").split(' ').collect();
    let [minute, hour, "*", "*", "*"] = schedule[..] else { panic!("{schedule:?}") };
    assert!(minute.parse::<u8>().is_ok() && hour.parse::<u8>().is_ok(), "{schedule:?}");
    // Before the next release is applied, whose image no Job could take.
    let job = &named(&built().objects, "Job", NAME)["spec"];
    assert!(job["ttlSecondsAfterFinished"].as_u64().is_some_and(|seconds| seconds <= 600));
    // A deadline would count while an image is not there yet. A day later there is another run.
    assert_eq!(job["activeDeadlineSeconds"], Value::Null);
    let daily = &daily["jobTemplate"]["spec"];
    assert!(daily["activeDeadlineSeconds"].as_u64().is_some_and(|seconds| seconds <= 600));
}
