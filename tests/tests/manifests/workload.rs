//! The Deployment, and what has to fit it.

use std::fs;

use app_health_tests::kustomize::{build_beside, build_text};
use app_health_tests::manifest::text_to_json;
use app_health_tests::process;
use app_health_tests::program::{self, root};
use serde_json::{Value, json};

use super::built::{IMAGE, Variant, kustomization, named, only, variants, webhooks};

/// Of the Deployment and what belongs to it.
const NAME: &str = "app-health-webhook";

impl Variant {
    fn deployment(&self) -> &Value {
        &only(&self.objects, "Deployment")["spec"]
    }

    pub fn pod(&self) -> &Value {
        &self.deployment()["template"]["spec"]
    }

    pub fn container(&self) -> &Value {
        assert_eq!(self.pod()["containers"].as_array().map(Vec::len), Some(1));
        &self.pod()["containers"][0]
    }

    /// The container's variables, as the kubelet sets them.
    fn env(&self) -> Vec<(&str, &str)> {
        let all = self.container()["env"].as_array().expect("variables");
        let mut env = Vec::new();
        for variable in all {
            let value = self.value_of(variable, &env);
            env.push((variable["name"].as_str().expect("a name"), value));
        }
        env
    }

    /// A field of the pod where there is one, else the text, or the variable before it that it names.
    fn value_of<'a>(&'a self, variable: &'a Value, before: &[(&str, &'a str)]) -> &'a str {
        let Some(path) = variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() else {
            let text = variable["value"].as_str().expect("a text");
            let name = text.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')'));
            let named = before.iter().find(|(other, _)| Some(*other) == name);
            return named.map_or(text, |(_, value)| value);
        };
        let name = path.strip_prefix("metadata.annotations['").expect("an annotation");
        let name = name.strip_suffix("']").expect("an annotation");
        self.deployment()["template"]["metadata"]["annotations"][name].as_str().expect("a text")
    }

    fn env_value(&self, name: &str) -> &str {
        let found = self.env().into_iter().find(|(other, _)| *other == name);
        found.unwrap_or_else(|| panic!("no {name}")).1
    }

    /// The number of the container's port of this name.
    fn port(&self, name: &Value) -> u64 {
        let all = self.container()["ports"].as_array().expect("ports");
        let port = all.iter().find(|port| port["name"] == *name);
        port.unwrap_or_else(|| panic!("no port {name}"))["containerPort"].as_u64().expect("it")
    }
}

#[test]
fn the_agent_takes_arguments_and_variables() {
    for variant in variants() {
        let mut command = process::command(program::agent());
        let arguments = variant.container()["args"].as_array().expect("arguments");
        command.args(arguments.iter().map(|it| it.as_str().expect("text")));
        command.env_clear().envs(variant.env());
        // Whoever follows the README puts a name there.
        let image =
            variant.env_value("APP_HEALTH_AGENT_IMAGE").replace("REGISTRY", "registry.test");
        command.env("APP_HEALTH_AGENT_IMAGE", image);
        let run = process::run(&mut command, "");
        // All has been read where what is wrong is that here is no certificate.
        assert_eq!(run.exit, 66, "{}", run.stderr);
        assert!(run.stderr.contains("--tls-cert /tls/tls.crt: "), "{}", run.stderr);
    }
}

/// One that it does not know would be ignored.
#[test]
fn the_agent_knows_the_variables() {
    let mut command = process::command(program::agent());
    let help = process::run(command.args(["webhook", "--help"]), "").succeeded();
    for variant in variants() {
        let text = variant.container()["env"].to_string();
        for (name, _) in variant.env() {
            if text.contains(&format!("$({name})")) {
                continue; // It is there for another.
            }
            let known = ["=", "]"].iter().any(|end| help.contains(&format!("[env: {name}{end}")));
            assert!(known, "{name}: {help}");
        }
    }
}

#[test]
fn ports_lead_from_the_api_server_to_the_listener() {
    for variant in variants() {
        let objects = &variant.objects;
        let service = only(objects, "Service");
        let port = &service["spec"]["ports"][0];
        for (_, webhook) in webhooks(objects) {
            let called = &webhook["clientConfig"]["service"];
            for field in ["name", "namespace"] {
                assert_eq!(called[field], service["metadata"][field]);
            }
            assert_eq!(called["port"], port["port"]);
        }
        let reviews = variant.port(&port["targetPort"]);
        assert_eq!(variant.env_value("APP_HEALTH_LISTEN"), format!(":{reviews}"));

        let container = variant.container();
        let [readiness, liveness] =
            ["readinessProbe", "livenessProbe"].map(|probe| &container[probe]["httpGet"]);
        assert_eq!(
            (&readiness["path"], &liveness["path"]),
            (&json!("/readyz"), &json!("/healthz"))
        );
        assert_eq!(readiness["port"], liveness["port"]);
        let status = variant.port(&readiness["port"]);
        assert_eq!(variant.env_value("APP_HEALTH_METRICS_LISTEN"), format!(":{status}"));
        let annotations = &variant.deployment()["template"]["metadata"]["annotations"];
        assert_eq!(annotations["prometheus.io/port"], status.to_string());

        // From the sidecars, by the address in the EnvoyFilter: in any cluster domain.
        let port = &service["spec"]["ports"][1];
        let wasm = variant.port(&port["targetPort"]);
        assert_eq!(variant.env_value("APP_HEALTH_WASM_LISTEN"), format!(":{wasm}"));
        let name = |field: &str| service["metadata"][field].as_str().expect("a name");
        let host = format!("{}.{}.svc", name("name"), name("namespace"));
        let filter = fs::read_to_string(root().join("envoy-config/istio/envoyfilter.yaml"));
        let uri = format!("uri: http://{host}/{}.wasm\n", "0".repeat(64));
        assert!(filter.expect("the EnvoyFilter").contains(&uri), "{uri}");
        assert_eq!(port["port"], 80, "which http:// means");
        // The image has all of its folder at its root.
        let script = fs::read_to_string(root().join("scripts/image")).expect("it");
        let file = variant.env_value("APP_HEALTH_WASM").strip_prefix('/').expect("a path");
        assert!(script.contains(&format!("/release/{file}\n")));

        let policy = named(objects, "NetworkPolicy", NAME);
        let ports = policy["spec"]["ingress"][0]["ports"].as_array().expect("ports");
        let ports: Vec<_> = ports.iter().map(|port| port["port"].as_u64()).collect();
        assert_eq!(ports, [Some(reviews), Some(status), Some(wasm)]);
        assert_eq!(policy["spec"]["egress"], json!([]));
    }
}

/// The key of the CA is in the same Secret: it is not mounted.
#[test]
fn the_certificate_and_its_key_are_mounted_and_nothing_else() {
    for variant in variants() {
        let volumes = variant.pod()["volumes"].as_array().expect("volumes");
        let mounts = variant.container()["volumeMounts"].as_array().expect("mounts");
        assert_eq!((volumes.len(), mounts.len()), (1, 1));
        assert_eq!(mounts[0]["name"], volumes[0]["name"]);
        let folder = mounts[0]["mountPath"].as_str().expect("a path");
        let items = volumes[0]["secret"]["items"].as_array().expect("items");
        let item = |item: &Value| (item["key"].clone(), item["path"].clone());
        let expected = ["tls.crt", "tls.key"].map(|name| (json!(name), json!(name)));
        assert_eq!(items.iter().map(item).collect::<Vec<_>>(), expected);
        for (name, file) in [("APP_HEALTH_TLS_CERT", "tls.crt"), ("APP_HEALTH_TLS_KEY", "tls.key")]
        {
            assert_eq!(variant.env_value(name), format!("{folder}/{file}"));
        }
    }
}

#[test]
fn one_selector_for_all() {
    for variant in variants() {
        let labels = &variant.deployment()["template"]["metadata"]["labels"];
        let of = |kind: &str| named(&variant.objects, kind, NAME)["spec"].clone();
        let mut selectors = vec![
            of("Service")["selector"].take(),
            of("Deployment")["selector"]["matchLabels"].take(),
            of("PodDisruptionBudget")["selector"]["matchLabels"].take(),
            of("NetworkPolicy")["podSelector"]["matchLabels"].take(),
        ];
        for spread in variant.pod()["topologySpreadConstraints"].as_array().expect("a spread") {
            selectors.push(spread["labelSelector"]["matchLabels"].clone());
        }
        // Of the recommended labels none: the version changes, and a Deployment's selector cannot.
        for selector in selectors {
            assert_eq!(selector, json!({"app": labels["app"]}));
        }
    }
}

#[test]
fn objects_and_pods_have_the_recommended_labels() {
    for variant in variants() {
        let pods = ["/spec/template/metadata", "/spec/jobTemplate/spec/template/metadata"];
        let pods = pods
            .into_iter()
            .flat_map(|at| variant.objects.iter().filter_map(move |object| object.pointer(at)));
        let own = |object: &&Value| object["kind"] != "Namespace";
        let objects = variant.objects.iter().filter(own).map(|object| &object["metadata"]);
        for metadata in objects.chain(pods) {
            for (name, value) in [
                ("name", "app-health"),
                ("instance", "app-health"),
                ("version", env!("CARGO_PKG_VERSION")),
                ("component", "webhook"),
                ("part-of", "app-health"),
                ("managed-by", "kustomize"),
            ] {
                let label = &metadata["labels"][format!("app.kubernetes.io/{name}")];
                assert_eq!(label, value, "{name}: {metadata}");
            }
        }
    }
}

#[test]
fn it_stays_up() {
    for variant in variants() {
        assert_eq!(variant.deployment()["replicas"], 2);
        let budget = &only(&variant.objects, "PodDisruptionBudget")["spec"];
        assert_eq!(budget["maxUnavailable"], 1);
        let spread = variant.pod()["topologySpreadConstraints"].as_array().expect("a spread");
        let keys: Vec<_> = spread.iter().map(|it| it["topologyKey"].as_str()).collect();
        assert_eq!(keys, [Some("kubernetes.io/hostname"), Some("topology.kubernetes.io/zone")]);
        let strategy = &variant.deployment()["strategy"]["rollingUpdate"];
        assert_eq!(strategy["maxUnavailable"], 0);
        // The agent needs 10 s at most to end.
        let grace = variant.pod()["terminationGracePeriodSeconds"].as_u64();
        assert!(grace.is_some_and(|seconds| seconds > 10), "{grace:?}");
    }
}

#[test]
fn it_may_do_nothing_but_serve() {
    for variant in variants() {
        let (pod, container) = (variant.pod(), variant.container());
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["enableServiceLinks"], false);
        let account = named(&variant.objects, "ServiceAccount", NAME);
        assert_eq!(pod["serviceAccountName"], account["metadata"]["name"]);
        assert_eq!(account["automountServiceAccountToken"], false);
        for object in &variant.objects {
            let subjects = object["subjects"].as_array().into_iter().flatten();
            assert!(subjects.into_iter().all(|subject| subject["name"] != NAME), "{object}");
        }

        let user = pod["securityContext"]["runAsUser"].as_u64();
        assert!(user.is_some_and(|user| user != 0 && user != 1337), "{user:?}");
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"], json!({"type": "RuntimeDefault"}));
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "privileged": false,
            "readOnlyRootFilesystem": true,
        });
        assert_eq!(container["securityContext"], expected);
        assert!(container["resources"]["limits"]["memory"].is_string());
        let namespace = only(&variant.objects, "Namespace");
        let labels = &namespace["metadata"]["labels"];
        assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
        for object in &variant.objects {
            let within = &object["metadata"]["namespace"];
            assert!(within.is_null() || *within == namespace["metadata"]["name"], "{object}");
        }
    }
}

/// Named once, in "images" of the user's kustomization.
#[test]
fn the_image_is_the_agents_too() {
    assert!(
        kustomization().contains("{name: app-health-agent, newName: REGISTRY/app-health-agent}")
    );
    for variant in variants() {
        let image = &variant.container()["image"];
        assert_eq!(image, IMAGE);
        assert_eq!(variant.env_value("APP_HEALTH_AGENT_IMAGE"), image);
    }
}

/// Whose fields are named like images of the same kustomization.
#[test]
fn what_is_somebody_elses_keeps_its_fields() {
    const OTHER: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}, annotations: {image: postgres}}
    spec:
      initContainers: [{name: wait, image: postgres, env: [{name: DATABASE, value: postgres}]}]
      containers:
      - {name: shop, image: shop, env: [{name: DATABASE, value: postgres}, {name: AGENT, value: app-health-agent}]}
"#;
    let images = "images: [{name: postgres, newTag: '16'}, ";
    let text = kustomization().replace("images: [", images);
    let text = text.replace("resources: [", "resources: [shop.yaml, ");
    let objects = build_beside(&text, &[("shop.yaml", OTHER)]);
    let is_theirs = |object: &&Value| object["metadata"]["name"] == "shop";
    let theirs = objects.iter().find(is_theirs).expect("their Deployment");
    let mut expected = text_to_json(OTHER);
    expected["spec"]["template"]["spec"]["initContainers"][0]["image"] = json!("postgres:16");
    assert_eq!(theirs, &expected);
}

/// As the README says it.
#[test]
fn the_agent_can_be_left_out() {
    let readme = fs::read_to_string(root().join("envoy-config/webhook/README.md")).expect("it");
    let (_, patch) = readme.split_once("```yaml\n# no agent\n").expect("the block");
    let (patch, _) = patch.split_once("```").expect("its end");
    // The block is part of a list there.
    let text = kustomization().replace("\n   ", "\n");
    let objects = build_text(&format!("{}\n{patch}", text.trim()));
    let variant = Variant { certificate: "self-signed", choice: "opt-in", objects };
    assert_eq!(variant.env_value("APP_HEALTH_AGENT_IMAGE"), "");
    assert_eq!(variant.container()["image"], IMAGE);
}

/// As the README said it before the image followed "images": a patch that is still in use.
#[test]
fn the_agents_variable_can_be_set() {
    for image in ["", "registry.test/agent:2"] {
        let patch = format!(
            r#"
patches:
- patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {{name: app-health-webhook, namespace: app-health}}
    spec: {{template: {{spec: {{containers: [{{name: webhook, env: [
      {{name: APP_HEALTH_AGENT_IMAGE, value: "{image}"}}, {{name: APP_HEALTH_SIDECAR, value: envoy}}]}}]}}}}}}
"#
        );
        let text = kustomization().replace("\n   ", "\n");
        let objects = build_text(&format!("{}{patch}", text.trim()));
        let variant = Variant { certificate: "self-signed", choice: "opt-in", objects };
        assert_eq!(variant.env_value("APP_HEALTH_AGENT_IMAGE"), image);
    }
}

/// What is patched in comes first, and must not come between a variable and the one that it names.
#[test]
fn another_variable_leaves_the_agents_image() {
    let readme = fs::read_to_string(root().join("envoy-config/webhook/README.md")).expect("it");
    let (_, patch) = readme.split_once("say:\n   ```yaml\n").expect("the block");
    let (patch, _) = patch.split_once("```").expect("its end");
    let text = format!("{}\n{}", kustomization().trim(), patch.trim_end());
    let objects = build_text(&text.replace("\n   ", "\n"));
    let variant = Variant { certificate: "self-signed", choice: "opt-in", objects };
    assert_eq!(variant.env_value("APP_HEALTH_SIDECAR"), "envoy");
    assert_eq!(variant.env_value("APP_HEALTH_AGENT_IMAGE"), IMAGE);
}
