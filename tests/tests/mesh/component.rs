use std::sync::Arc;

use app_health_tests::mesh::{Deployment, EnvoyFilter, PodComponent};
use app_health_tests::{kustomize, manifest, process, program};
use app_health_webhook::admission::{Task, admit};
use app_health_webhook::injection::Filter;
use app_health_webhook::patch::apply;
use app_health_webhook::rewrite::{
    AGENT_CONTAINER, AgentOptions, Options, STATUS_ANNOTATION, add_sidecar, rewrite,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{HTTP, TCP};

const IMAGE: &str = concat!("app-health-agent:", env!("CARGO_PKG_VERSION"));

/// An example: as its file has it, and with the component, as Kustomize puts it in.
struct Example {
    plain: Value,
    with_component: Value,
}

/// The two Deployments, in the order in which the folder's kustomization names them.
fn examples() -> [Example; 2] {
    let made = kustomize::build("envoy-config/examples");
    let [http, tcp] = made.try_into().expect("two Deployments");
    [(HTTP, http), (TCP, tcp)].map(|(file, with_component)| {
        let plain = manifest::text_to_json(&Deployment::text(file));
        assert_eq!(with_component["metadata"]["name"], plain["metadata"]["name"]);
        Example { plain, with_component }
    })
}

#[test]
fn kustomize_adds_the_component_and_changes_nothing_else() {
    let mut component = PodComponent::shipped().template;
    // With the image that its kustomization names.
    component["spec"]["initContainers"][0]["image"] = json!(format!("REGISTRY/{IMAGE}"));
    for Example { plain, with_component } in examples() {
        let mut expected = plain;
        json_patch::merge(&mut expected["spec"]["template"], &component);
        assert_eq!(with_component, expected);
    }
}

#[test]
fn a_pod_has_what_the_readme_says() {
    for Example { with_component, .. } in examples() {
        let template = &with_component["spec"]["template"];
        let app = &with_component["metadata"]["name"];
        let labels = json!({"app": app, "app-health/filter": "true"});
        assert_eq!(template["metadata"]["labels"], labels);
        let annotations = &template["metadata"]["annotations"];
        assert_eq!(annotations["sidecar.istio.io/rewriteAppHTTPProbers"], "true");
        assert_eq!(annotations["traffic.sidecar.istio.io/excludeInboundPorts"], "15019");
        let parsed = |name: &str| -> Value {
            serde_json::from_str(annotations[name].as_str().expect("text")).expect("JSON")
        };
        assert_eq!(parsed("proxy.istio.io/config")["statusPort"], 15019);
        assert_eq!(annotations.get("sidecar.istio.io/userVolume"), None);
        let [agent] = &template["spec"]["initContainers"].as_array().expect("some")[..] else {
            panic!("one init container: {template}")
        };
        assert_eq!(
            (&agent["name"], &agent["restartPolicy"]),
            (&json!(AGENT_CONTAINER), &json!("Always"))
        );
        assert_ne!(agent["securityContext"]["runAsUser"], 1337);
    }
}

/// What a pod needs, by the component: of that the agent's container is put in by the webhook that comes
/// after Istio's.
fn by_component(mut template: Value) -> Value {
    let spec = template["spec"].as_object_mut().expect("a spec");
    assert!(spec.remove("initContainers").is_some());
    template
}

/// By the command.
fn by_command(manifest: &Value) -> Value {
    let mut command = process::command(program::agent());
    command.args(["rewrite", "-f", "-", "--filter"]);
    let text = process::run(&mut command, manifest.to_string()).succeeded();
    manifest::text_to_json(&text)["spec"]["template"].take()
}

/// By the webhook, of a pod of this template.
fn by_webhook(mut template: Value) -> Value {
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "1", "operation": "CREATE", "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "object": template,
    }});
    let read_yaml = |_: &str| panic!("there is none to be read");
    let task = Task::Filter(Filter {
        revision: "true".parse().expect("a revision"),
        mesh: Arc::default(),
        read_yaml,
    });
    let admitted = admit(review.to_string().as_bytes(), &task, &Options::default());
    let answer: Value = serde_json::from_str(&admitted.expect("a review").body).expect("JSON");
    let patch = answer["response"]["patch"].as_str().expect("a patch");
    let patch = STANDARD.decode(patch).expect("base64");
    let patch: json_patch::Patch = serde_json::from_slice(&patch).expect("a patch");
    json_patch::patch(&mut template, &patch).expect("it fits");
    template
}

#[test]
fn webhook_command_and_component_give_a_pod_the_same() {
    for Example { plain, mut with_component } in examples() {
        let pods = [
            by_component(with_component["spec"]["template"].take()),
            by_command(&plain),
            by_webhook(plain["spec"]["template"].clone()),
        ];
        // However its config is written.
        let [component, command, webhook] = pods.map(|mut pod| {
            let config = &mut pod["metadata"]["annotations"]["proxy.istio.io/config"];
            *config = serde_json::from_str(config.as_str().expect("text")).expect("JSON");
            pod
        });
        assert_eq!(command, component);
        assert_eq!(webhook, component);
        assert_eq!(webhook["metadata"]["labels"]["app-health/filter"], "true");
    }
}

/// In both kustomizations: the EnvoyFilter reads the file from where the pod has it, and a pod without
/// the ConfigMap starts all the same.
#[test]
fn the_component_for_a_volume_fits_together() {
    let components = ["envoy-config/istio/volume"];
    let [filter] =
        kustomize::compose(&["envoy-config/istio"], &components).try_into().expect("one");
    let code = EnvoyFilter(filter).values("EXTENSION_CONFIG").remove(0);
    let code = code["typed_config"]["config"]["vm_config"]["code"].clone();
    for (made, Example { with_component, .. }) in
        kustomize::compose(&["envoy-config/examples"], &components).into_iter().zip(examples())
    {
        let mut expected = with_component;
        let volume = json!([{
            "name": "app-health-filter",
            "configMap": {"name": "app-health-filter", "optional": true},
        }]);
        let folder = "/var/lib/app-health";
        let mount = json!([{"name": "app-health-filter", "mountPath": folder, "readOnly": true}]);
        let file = format!("{folder}/app_health_filter.wasm");
        assert_eq!(code, json!({"local": {"filename": file}}));
        for (name, value) in [("userVolume", volume), ("userVolumeMount", mount)] {
            let name = format!("sidecar.istio.io/{name}");
            let made = made["spec"]["template"]["metadata"]["annotations"][&name].clone();
            let parsed: Value = serde_json::from_str(made.as_str().expect("text")).expect("JSON");
            assert_eq!(parsed, value);
            expected["spec"]["template"]["metadata"]["annotations"][&name] = made;
        }
        assert_eq!(made, expected, "and that is all");
    }
}

/// In a template that has no component: the webhook gives its pods all else.
#[test]
fn a_volume_goes_with_the_webhook() {
    const ANNOTATIONS: [&str; 2] =
        ["sidecar.istio.io/userVolume", "sidecar.istio.io/userVolumeMount"];
    let [Example { plain, with_component }, _] = examples();
    let kustomization = json!({
        "resources": ["deployment.yaml"],
        "components": [format!("{}/envoy-config/istio/volume", kustomize::PATH)],
    });
    let file = ("deployment.yaml", &*plain.to_string());
    let made = kustomize::build_beside(&kustomization.to_string(), &[file]);
    let template = &made[0]["spec"]["template"];
    let pod = by_webhook(template.clone());
    for name in ANNOTATIONS {
        let of = |pod: &Value| pod["metadata"]["annotations"][name].clone();
        assert!(of(&pod).is_string() && of(&pod) == of(template), "{name}");
    }
    assert_eq!(pod["metadata"]["labels"], with_component["spec"]["template"]["metadata"]["labels"]);
}

#[test]
fn the_agent_can_be_left_out() {
    let components = ["envoy-config/istio/without-agent"];
    let made = kustomize::compose(&["envoy-config/examples"], &components);
    for (mut made, Example { with_component, .. }) in made.into_iter().zip(examples()) {
        let mut expected = with_component;
        expected["spec"]["template"] = by_component(expected["spec"]["template"].take());
        let spec = made["spec"]["template"]["spec"].as_object_mut().expect("a spec");
        assert_eq!(spec.remove("initContainers"), Some(json!([])));
        assert_eq!(made, expected);
    }
}

/// It would do nothing before the component that puts the agent in.
#[test]
#[should_panic = "/spec/template/spec/initContainers/0/name"]
fn the_agent_cannot_be_left_out_before_it_is_put_in() {
    let [Example { plain, .. }, _] = examples();
    let component = |name| format!("{}/envoy-config/istio/{name}", kustomize::PATH);
    let kustomization = json!({
        "resources": ["deployment.yaml"],
        "components": [component("without-agent"), component("pod")],
    });
    let file = ("deployment.yaml", &*plain.to_string());
    kustomize::build_beside(&kustomization.to_string(), &[file]);
}

/// The rewrite changes the probe, adds the sidecar and the mark, and that is all.
#[test]
fn a_rewrite_leaves_the_component_as_it_is() {
    let records = [
        r#"{"/app-health/nginx/readyz":{"httpGet":{"path":"/index.html","port":8080,"httpHeaders":[{"name":"X-Custom-Header","value":"hello"}]}}}"#,
        r#"{"/app-health/nginx/readyz":{"tcpSocket":{"port":2940}}}"#,
    ];
    for (Example { with_component, .. }, recorded) in examples().into_iter().zip(records) {
        let rewritten = Deployment::of(&with_component.to_string(), &[]);
        assert_eq!(rewritten.variable(), Some(recorded));
        let mut template = rewritten.template;
        let containers = template["spec"]["containers"].as_array_mut().expect("containers");
        let sidecar = containers.pop().expect("the sidecar");
        assert_eq!(sidecar["name"], "istio-proxy");
        let probe = &mut containers[0]["readinessProbe"];
        assert_eq!(probe["httpGet"]["path"], "/app-health/nginx/readyz");
        assert_eq!(probe["httpGet"]["port"], 15020);

        let before = &with_component["spec"]["template"];
        let annotations = template["metadata"]["annotations"].as_object_mut().expect("some");
        let mark = annotations.remove(STATUS_ANNOTATION);
        assert_eq!(mark, Some(json!(r#"{"version":1,"rewritten":1}"#)));
        let probe = &mut template["spec"]["containers"][0]["readinessProbe"];
        *probe = before["spec"]["containers"][0]["readinessProbe"].clone();
        assert_eq!(&template, before);
    }
}

/// The container is the one that the webhook puts in, into pods whose resources are Istio's.
#[test]
fn the_agent_is_the_one_that_the_webhook_puts_in() {
    let options = Options { agent: Some(AgentOptions::new(IMAGE)), ..Options::default() };
    let resources = json!({"requests": {"cpu": "100m", "memory": "128Mi"}});
    let pod = json!({"spec": {
        "initContainers": [{"name": "istio-proxy", "restartPolicy": "Always", "resources": resources}],
        "containers": [{"name": "app", "readinessProbe": {"tcpSocket": {"port": 80}}}],
    }});
    let mut with_agent = pod.clone();
    let made = rewrite(&pod, &options).expect("a pod");
    apply(&mut with_agent, &made.patch).expect("the patch fits");
    let component = PodComponent::shipped().template;
    assert_eq!(with_agent["spec"]["initContainers"][1], component["spec"]["initContainers"][0]);
}

#[test]
fn the_webhook_puts_no_second_agent_beside_the_components() {
    let options = Options { agent: Some(AgentOptions::new("another:1")), ..Options::default() };
    // Only where TCP is checked it would put one in.
    let [_, Example { mut with_component, .. }] = examples();
    let mut pod = with_component["spec"]["template"].take();
    let sidecar = add_sidecar(&pod, "istio-proxy").expect("a pod");
    apply(&mut pod, &sidecar).expect("the patch fits");
    let agents = |pod: &Value| pod.to_string().matches(AGENT_CONTAINER).count();
    let before = agents(&pod);
    let made = rewrite(&pod, &options).expect("a pod");
    apply(&mut pod, &made.patch).expect("the patch fits");
    assert_eq!(pod["spec"]["containers"][0]["readinessProbe"]["httpGet"]["port"], 15020);
    assert_eq!(agents(&pod), before, "{pod}");
}
