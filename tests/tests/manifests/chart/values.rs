//! What each value does.

use std::fs;
use std::path::Path;

use app_health_tests::helm::{CHART, render, template};
use app_health_tests::manifest::{documents, rewritten};
use app_health_tests::process;
use app_health_tests::program::{self, root, tool};
use serde_json::{Value, json};

use super::super::built::{FILTER, REWRITE, named, only, webhook, webhooks};
use super::super::conditions::Conditions;
use super::super::configuration::{SWITCH, chooses};
use super::{NAMESPACE, NO_SUM, chart, is_hook, with_sum};
use crate::kubernetes::check;

const SUM: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const DEPLOYMENT: &str = "app-health-webhook";

fn pod(objects: &[Value]) -> &Value {
    &named(objects, "Deployment", DEPLOYMENT)["spec"]["template"]
}

fn envoy_filter<'a>(objects: &'a [Value], name: &str) -> &'a Value {
    named(objects, "EnvoyFilter", name)
}

/// Where its sidecars get the .wasm.
fn remote(filter: &Value) -> &Value {
    let extension = &filter["spec"]["configPatches"][1]["patch"]["value"]["typed_config"];
    &extension["config"]["vm_config"]["code"]["remote"]
}

#[test]
fn values_are_put_into_the_deployment() {
    let digest = format!("sha256:{SUM}");
    for (values, at, expected) in [
        (json!({"replicas": 3}), "/spec/replicas", json!(3)),
        (
            json!({"image": {"repository": "r.test/a"}}),
            "/spec/template/spec/containers/0/image",
            json!(concat!("r.test/a:", env!("CARGO_PKG_VERSION"))),
        ),
        (
            json!({"image": {"tag": "2"}}),
            "/spec/template/metadata/annotations/webhook.app-health~1agent-image",
            json!("app-health-agent:2"),
        ),
        (
            json!({"image": {"tag": "2", "digest": digest}}),
            "/spec/template/spec/containers/0/image",
            json!(format!("app-health-agent@{digest}")),
        ),
        (
            json!({"image": {"pullPolicy": "Always"}}),
            "/spec/template/spec/containers/0/imagePullPolicy",
            json!("Always"),
        ),
        (
            json!({"imagePullSecrets": [{"name": "a"}]}),
            "/spec/template/spec/imagePullSecrets",
            json!([{"name": "a"}]),
        ),
        (
            json!({"resources": {"limits": {"memory": "1Gi"}}}),
            "/spec/template/spec/containers/0/resources/limits/memory",
            json!("1Gi"),
        ),
        (
            json!({"nodeSelector": {"a": "b"}}),
            "/spec/template/spec/nodeSelector",
            json!({"a": "b"}),
        ),
        (
            json!({"tolerations": [{"operator": "Exists"}]}),
            "/spec/template/spec/tolerations/0/operator",
            json!("Exists"),
        ),
        (
            json!({"agent": {"enabled": false}}),
            "/spec/template/metadata/annotations/webhook.app-health~1agent-image",
            json!(""),
        ),
    ] {
        let objects = chart(&values);
        let deployment = named(&objects, "Deployment", DEPLOYMENT);
        assert_eq!(deployment.pointer(at), Some(&expected), "{values}");
    }
}

/// As often as a release needs it, which no Job's pod could.
#[test]
fn the_jobs_are_of_the_same_image_and_another_image_is_another_job() {
    let secrets = json!([{"name": "a"}]);
    let names = ["1", "2", "2"].map(|tag| {
        let objects = chart(&json!({"image": {"tag": tag}, "imagePullSecrets": secrets}));
        let job = only(&objects, "Job");
        let daily = &only(&objects, "CronJob")["spec"]["jobTemplate"]["spec"];
        for pod in [&job["spec"]["template"]["spec"], &daily["template"]["spec"]] {
            assert_eq!(pod["containers"][0]["image"], format!("app-health-agent:{tag}"));
            assert_eq!(pod["imagePullSecrets"], secrets);
        }
        job["metadata"]["name"].as_str().expect("a name").to_owned()
    });
    assert!(names[0] != names[1] && names[1] == names[2], "{names:?}");
}

#[test]
fn the_jobs_may_reach_the_api_server_where_it_is() {
    let objects = chart(&json!({"apiServerPorts": [7443]}));
    let egress = &named(&objects, "NetworkPolicy", "app-health-certs")["spec"]["egress"];
    assert_eq!(egress, &json!([{"ports": [{"protocol": "TCP", "port": 7443}]}]));
    let webhook = &named(&objects, "NetworkPolicy", DEPLOYMENT)["spec"]["egress"];
    assert_eq!(webhook, &json!([]));
}

/// Each once, as the API server would refuse a second, and so that the webhook takes them.
#[test]
fn values_become_variables_of_the_webhook() {
    for (values, name, expected) in [
        (json!({"env": {"APP_HEALTH_LOG_FORMAT": "text"}}), "APP_HEALTH_LOG_FORMAT", "text"),
        (json!({"env": {"APP_HEALTH_LOG_LEVEL": "debug"}}), "APP_HEALTH_LOG_LEVEL", "debug"),
        (json!({"agent": {"user": 1_234_567}}), "APP_HEALTH_AGENT_USER", "1234567"),
        (json!({"agent": {"user": "none"}}), "APP_HEALTH_AGENT_USER", "none"),
        (json!({"agent": {"resources": "none"}}), "APP_HEALTH_AGENT_RESOURCES", "none"),
        (json!({"agent": {"resources": {}}}), "APP_HEALTH_AGENT_RESOURCES", "{}"),
        (
            json!({"agent": {"resources": {"limits": {"cpu": 1, "memory": "64Mi"}}}}),
            "APP_HEALTH_AGENT_RESOURCES",
            r#"{"limits":{"cpu":1,"memory":"64Mi"}}"#,
        ),
        (json!({"agent": {"pullSecret": "a"}}), "APP_HEALTH_AGENT_PULL_SECRET", "a"),
    ] {
        let objects = chart(&values);
        let env = pod(&objects)["spec"]["containers"][0]["env"].as_array().expect("variables");
        let mut found = env.iter().filter(|variable| variable["name"] == name);
        assert_eq!(found.next().expect(name)["value"], expected, "{values}");
        assert_eq!(found.next(), None, "{values}");

        let mut webhook = process::command(program::agent());
        webhook.args(["webhook", "--tls-cert=/none", "--tls-key=/none", "--agent-image=a"]);
        let run = process::run(webhook.env(name, expected), "");
        // It has read all but the certificate.
        assert_eq!(run.exit, 66, "{values}: {}", run.stderr);
    }
}

#[test]
fn values_are_put_into_each_webhook() {
    let exclude = json!({"failurePolicy": "Fail", "excludedNamespaces": ["kube-system", "ci"]});
    let objects = chart(&exclude);
    let labels = json!({"app-health/rewrite": "enabled", "app-health/filter": "enabled"});
    for (_, webhook) in webhooks(&objects) {
        assert_eq!(webhook["failurePolicy"], "Fail");
        for (namespace, expected) in
            [("shop", true), ("ci", false), ("kube-system", false), (NAMESPACE, false)]
        {
            assert_eq!(chooses(webhook, namespace, &labels), expected, "{namespace}");
        }
    }
}

/// Those have probes of their own.
#[test]
fn the_api_server_is_told_what_sidecars_are_called() {
    let objects = chart(&json!({"env": {"APP_HEALTH_SIDECAR": "envoy, mesh"}}));
    let conditions = Conditions::of(&objects);
    for (name, expected) in [("envoy", false), ("mesh", false), ("istio-proxy", true)] {
        for containers in ["containers", "initContainers"] {
            let spec = json!({containers: [{"name": name, "readinessProbe": {}}]});
            let through = conditions.let_through(&json!({"spec": spec}));
            assert_eq!(through, expected, "{containers}: {name}");
        }
    }
}

#[test]
fn the_filter_is_the_one_that_is_named() {
    let service = "http://app-health-webhook.app-health.svc";
    for (wasm, begins) in [
        (json!({"sha256": SUM}), service),
        (json!({"sha256": SUM, "url": "https://files.test/a.wasm"}), "https://files.test/a.wasm"),
    ] {
        let objects = chart(&json!({"wasm": wasm}));
        let filter = envoy_filter(&objects, "app-health");
        let remote = remote(filter);
        assert_eq!(remote["sha256"], SUM);
        let uri = remote["http_uri"]["uri"].as_str().expect("a URI");
        assert!(uri.starts_with(begins), "{uri}");
        assert!(begins != service || uri.ends_with(&format!("/{SUM}.wasm")), "{uri}");
        assert!(!filter.to_string().contains(NO_SUM));
    }
}

/// Whoever has the label needs the listener, also once the release is gone.
#[test]
fn each_revision_has_an_envoyfilter_that_stays() {
    for (revision, name) in [("true", "app-health"), ("r2", "app-health-r2")] {
        let objects = chart(&json!({"revision": revision, "rootNamespace": "mesh"}));
        let filter = envoy_filter(&objects, name);
        assert_eq!(filter["metadata"]["namespace"], "mesh");
        assert_eq!(filter["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
        let selector = &filter["spec"]["workloadSelector"]["labels"];
        assert_eq!(selector, &json!({"app-health/filter": revision}));
        for patch in filter["spec"]["configPatches"].as_array().expect("patches") {
            let metadata = &patch["match"]["proxy"]["metadata"];
            assert_eq!(metadata, &json!({"APP_HEALTH_FILTER": revision}));
        }
        let path = format!("/mutate/filter/{revision}");
        assert_eq!(webhook(&objects, FILTER)["clientConfig"]["service"]["path"], path);
        // The same for istiod to push by, which has nothing in it and comes after all else.
        let push = envoy_filter(&objects, &format!("{name}.push"));
        assert_eq!(push["metadata"]["annotations"]["helm.sh/hook"], "post-upgrade,post-rollback");
        assert_eq!(push["spec"], json!({"workloadSelector": {"labels": selector}}));
    }
}

/// Then no pod is told to leave port 15020 to the filter, either.
#[test]
fn it_can_go_without_the_filter_and_without_a_sum() {
    let objects = render(NAMESPACE, &json!({"envoyFilter": false}));
    assert!(objects.iter().all(|object| object["kind"] != "EnvoyFilter"));
    let names: Vec<_> = webhooks(&objects).map(|(_, webhook)| &webhook["name"]).collect();
    assert_eq!(names, [SWITCH, REWRITE]);
}

#[test]
fn monitoring_has_a_place_and_labels_of_its_own() {
    let monitoring = json!({"enabled": true, "namespace": "mon", "labels": {"release": "prom"}});
    let objects = chart(&json!({"monitoring": monitoring}));
    let all: Vec<_> = objects.iter().filter(|it| it["metadata"]["namespace"] == "mon").collect();
    assert_eq!(all.len(), 5);
    for object in all {
        assert_eq!(object["metadata"]["labels"]["release"], "prom");
    }
}

/// The words of a text, of which one could be a namespace.
fn words(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let ends = |c: char| !c.is_ascii_alphanumeric() && !"-./".contains(c);
            found.extend(text.split(ends).map(str::to_owned));
        }
        Value::Array(all) => all.iter().for_each(|one| words(one, found)),
        Value::Object(members) => {
            let names = ["labels", "matchLabels", "commonName"];
            let others = members.iter().filter(|(name, _)| !names.contains(&name.as_str()));
            others.for_each(|(_, member)| words(member, found));
        }
        _ => {}
    }
}

#[test]
fn the_namespace_is_the_releases() {
    let values = json!({"certificate": "cert-manager", "monitoring": {"enabled": true}});
    let objects = render("elsewhere", &with_sum(&values));
    for object in &objects {
        let metadata = &object["metadata"];
        let own = ["EnvoyFilter", "MutatingWebhookConfiguration", "Namespace", "Pod"];
        if !own.iter().any(|kind| object["kind"] == *kind) {
            assert_eq!(metadata["namespace"], "elsewhere", "{object}");
        }
        // The names of these are the project's.
        if object["kind"] == "EnvoyFilter" || object["kind"] == "ConfigMap" {
            continue;
        }
        let mut found = Vec::new();
        let spec =
            object.as_object().expect("an object").iter().filter(|(it, _)| *it != "metadata");
        spec.for_each(|(_, member)| words(member, &mut found));
        let names_it = |word: &&String| *word == NAMESPACE || word.contains(".app-health.");
        assert_eq!(found.iter().find(names_it), None, "{object}");
    }
    let uri = &remote(envoy_filter(&objects, "app-health"))["http_uri"]["uri"];
    assert!(uri.as_str().is_some_and(|uri| uri.contains("app-health-webhook.elsewhere.svc")));
    for (configuration, webhook) in webhooks(&objects) {
        let source = &configuration["metadata"]["annotations"]["cert-manager.io/inject-ca-from"];
        assert_eq!(source, "elsewhere/app-health-webhook-tls");
        let labels = json!({"app-health/rewrite": "enabled", "app-health/filter": "enabled"});
        assert!(!chooses(webhook, "elsewhere", &labels));
        assert!(chooses(webhook, NAMESPACE, &labels));
    }
}

/// `helm test`: the API server asks about its pod, whose sidecar is then given the probes to answer, and which ends.
#[test]
fn the_test_pod_comes_through_the_webhook() {
    for (values, sidecar) in [
        (json!({}), "istio-proxy"),
        (json!({"rewrite": "opt-out", "env": {"APP_HEALTH_SIDECAR": "envoy,b"}}), "envoy"),
    ] {
        let objects = chart(&values);
        let hooks: Vec<_> = objects.iter().filter(|object| is_hook(object)).cloned().collect();
        let (namespace, pod) = (only(&hooks, "Namespace"), only(&hooks, "Pod"));
        assert_eq!(check(pod), Ok(()));
        assert_eq!(pod["metadata"]["namespace"], namespace["metadata"]["name"]);
        let name = namespace["metadata"]["name"].as_str().expect("a name");
        let asked = chooses(webhook(&objects, REWRITE), name, &namespace["metadata"]["labels"]);
        assert!(asked && Conditions::of(&objects).let_through(pod));

        let options = ["--sidecar", sidecar, "--agent-image", "a"];
        let containers = rewritten(&pod.to_string(), &options)["spec"]["containers"].take();
        let containers = containers.as_array().expect("containers").clone();
        assert_eq!(containers.len(), pod["spec"]["containers"].as_array().expect("it").len());
        let env =
            containers.iter().find(|it| it["name"] == sidecar).expect("it")["env"].to_string();
        assert!(env.contains("ISTIO_KUBE_APP_PROBERS"), "{env}");
    }
}

/// What Helm prints after it has installed, which `helm template` leaves out.
fn notes(values: &Value) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let chart = folder.path().join("chart");
    let mut copy = process::command("cp");
    process::run(copy.arg("-rL").arg(root().join(CHART)).arg(&chart), "").succeeded();
    let text = r#"{apiVersion: v1, kind: Notes, metadata: {name: a}, text: {{ include (print .Template.BasePath "/NOTES.txt") . | toJson }}}"#;
    fs::write(chart.join("templates/notes.yaml"), text).expect("written");
    let objects = documents(&template(&chart, NAMESPACE, &with_sum(values)).succeeded());
    only(&objects, "Notes")["text"].as_str().expect("a text").to_owned()
}

#[test]
fn what_is_printed_names_the_namespaces_that_are_left_alone() {
    for (excluded, said) in [
        (json!([]), "but for those of\n   app-health and of namespaces that you take out:"),
        (json!(["ci"]), "but for those of\n   app-health, ci and of namespaces that you take out:"),
    ] {
        let notes = notes(&json!({"rewrite": "opt-out", "excludedNamespaces": excluded}));
        assert!(notes.contains(said), "{notes}");
    }
}

/// The links are followed: what is packaged needs nothing beside it.
#[test]
fn the_package_is_the_same_chart() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut helm = process::command(tool("HELM", "helm"));
    helm.arg("package").arg(root().join(CHART)).arg("--destination").arg(folder.path());
    process::run(&mut helm, "").succeeded();
    let file = folder.path().join(concat!("app-health-", env!("CARGO_PKG_VERSION"), ".tgz"));
    let rendered =
        |chart: &Path| documents(&template(chart, NAMESPACE, &with_sum(&json!({}))).succeeded());
    assert_eq!(rendered(&file), chart(&json!({})));
}
