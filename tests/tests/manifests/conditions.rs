//! The webhook's matchConditions, by an interpreter of CEL. (The API server's own saw the same in
//! a trial on a cluster.)

use std::fs;

use app_health_tests::program::root;
use app_health_webhook::manifest::pods;
use app_health_webhook::path::ProbeKind;
use app_health_webhook::rewrite::{AgentOptions, Options, rewrite};
use cel::{Context, Program};
use serde_json::{Value, json};

use super::built::{REWRITE, variants, webhook};
use crate::rewrite::yaml;

/// The conditions, of which all have to hold.
pub struct Conditions(Vec<Program>);

impl Conditions {
    pub fn of(objects: &[Value]) -> Self {
        let all = webhook(objects, REWRITE)["matchConditions"].as_array().expect("conditions");
        assert!(!all.is_empty());
        let text = |condition: &Value| condition["expression"].as_str().expect("text").to_owned();
        let compile = |condition| Program::compile(&text(condition)).expect("it is CEL");
        Self(all.iter().map(compile).collect())
    }

    /// Whether the API server would call.
    pub fn let_through(&self, pod: &Value) -> bool {
        let mut context = Context::default();
        context.add_variable("object", pod).expect("JSON is a value of CEL");
        self.0.iter().all(|program| {
            let result = program.execute(&context).unwrap_or_else(|e| panic!("{e}: {pod}"));
            result == true.into()
        })
    }
}

#[test]
fn pods_without_probes_and_hooks_are_spared() {
    let nothing = json!({"name": "a", "image": "a", "env": [{"name": "livenessProbe"}]});
    let with = |field: &str| json!({"name": "b", "image": "b", field: {}});
    let proxy =
        json!({"name": "istio-proxy", "readinessProbe": {}, "startupProbe": {}, "lifecycle": {}});
    let mut cases = vec![
        (json!({}), false),
        (json!({"containers": []}), false),
        (json!({"containers": [nothing]}), false),
        (json!({"containers": [nothing, nothing], "initContainers": [nothing]}), false),
        (json!({"containers": [nothing], "initContainers": []}), false),
        (json!({"containers": [nothing], "ephemeralContainers": [nothing]}), false),
        (json!({"containers": [nothing], "readinessGates": [{"conditionType": "a"}]}), false),
        (json!({"containers": [nothing, proxy]}), false),
        (json!({"containers": [nothing], "initContainers": [proxy]}), false),
        (json!({"containers": [with("livenessProbe"), proxy]}), true),
        (json!({"containers": [with("livenessProbe")], "initContainers": [proxy]}), true),
        (json!({"initContainers": [with("startupProbe")]}), true),
    ];
    for kind in ProbeKind::ALL {
        let probe = json!({kind.field(): {}});
        let mut with = if kind.is_hook() { json!({"lifecycle": probe}) } else { probe };
        with["name"] = json!("b");
        cases.extend([
            (json!({"containers": [with]}), true),
            (json!({"containers": [nothing, with]}), true),
            (json!({"containers": [nothing], "initContainers": [with]}), true),
            (json!({"containers": [with], "initContainers": [nothing]}), true),
            (json!({"containers": [nothing], "initContainers": [nothing, with]}), true),
        ]);
    }
    for variant in variants() {
        let conditions = Conditions::of(&variant.objects);
        for (spec, expected) in &cases {
            assert_eq!(conditions.let_through(&json!({"spec": spec})), *expected, "{spec}");
        }
    }
}

/// No pod is spared that would be rewritten: by the golden files of the rewrite.
#[test]
fn what_would_be_rewritten_is_let_through() {
    let conditions = Conditions::of(&variants()[0].objects);
    let options = Options { agent: Some(AgentOptions::new("agent:1")), ..Options::default() };
    let mut rewritten = 0;
    for file in fs::read_dir(root().join("tests/golden/rewrite")).expect("the golden files") {
        let file = file.expect("a file").path();
        if !file.to_string_lossy().ends_with(".in.yaml") {
            continue;
        }
        let manifest = yaml::load(&fs::read_to_string(&file).expect("a text"));
        for pod in pods(&manifest).into_iter().flatten() {
            let changes = rewrite(pod.pod, &options).is_ok_and(|it| !it.patch.is_empty());
            let through = conditions.let_through(pod.pod);
            assert!(through || !changes, "{}", file.display());
            rewritten += usize::from(changes);
        }
    }
    assert!(rewritten >= 30, "{rewritten} pods");
}
