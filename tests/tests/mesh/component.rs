use app_health_tests::mesh::{Deployment, PodComponent};
use app_health_tests::{kustomize, manifest};
use app_health_webhook::patch::apply;
use app_health_webhook::rewrite::{
    AGENT_CONTAINER, AgentOptions, Options, STATUS_ANNOTATION, add_sidecar, rewrite,
};
use serde_json::{Value, json};

use super::{HTTP, TCP};

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
    component["spec"]["initContainers"][0]["image"] = json!("REGISTRY/app-health-agent:0.1.0");
    for Example { plain, with_component } in examples() {
        let mut expected = plain;
        json_patch::merge(&mut expected["spec"]["template"], &component);
        assert_eq!(with_component, expected);
    }
}

#[test]
fn a_pod_has_what_the_readme_says() {
    let volume = json!([{"name": "app-health-filter", "configMap": {"name": "app-health-filter"}}]);
    let mount = json!([
        {"name": "app-health-filter", "mountPath": "/var/lib/app-health", "readOnly": true},
    ]);
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
        assert_eq!(parsed("sidecar.istio.io/userVolume"), volume);
        assert_eq!(parsed("sidecar.istio.io/userVolumeMount"), mount);
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

/// The rewrite changes the probe, adds the sidecar and the mark, and that is all.
#[test]
fn a_rewrite_leaves_the_component_as_it_is() {
    let records = [
        r#"{"/app-health/nginx/readyz":{"httpGet":{"path":"/index.html","port":80,"httpHeaders":[{"name":"X-Custom-Header","value":"hello"}]}}}"#,
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
    let options =
        Options { agent: Some(AgentOptions::new("app-health-agent:0.1.0")), ..Options::default() };
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
