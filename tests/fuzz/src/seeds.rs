//! The project's own texts, to begin from: golden pairs, what is deployed, the examples.

use std::fs;
use std::path::Path;

use app_health_tests::program::root;
use app_health_webhook::manifest::pods;
use serde_json::Value;

/// The files of these folders whose names end so.
fn files(folders: &[&str], end: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for folder in folders {
        let folder = root().join(folder);
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let wanted = |path: &Path| path.to_string_lossy().ends_with(end);
        texts.extend(paths.filter(|path| wanted(path)).map(|it| {
            fs::read_to_string(&it).unwrap_or_else(|error| panic!("{}: {error}", it.display()))
        }));
    }
    assert!(!texts.is_empty(), "no {end} in {folders:?}");
    texts.sort();
    texts
}

/// Manifests as people write them, and as they are after a rewrite.
pub fn manifests() -> Vec<String> {
    let folders = [
        "tests/golden/rewrite",
        "tests/golden/restore",
        "envoy-config/examples",
        "envoy-config/webhook/base",
    ];
    let mut texts = files(&folders, ".yaml");
    let json: Vec<_> = texts.iter().filter_map(|it| value(it)).map(|it| it.to_string()).collect();
    texts.extend(json);
    texts
}

/// Pods, as JSON.
pub fn all_pods() -> Vec<Value> {
    let manifests = files(&["tests/golden/rewrite", "tests/golden/restore"], ".yaml");
    let values = manifests.iter().filter_map(|text| value(text));
    values
        .flat_map(|value| {
            let pods = pods(&value).map(|pods| pods.into_iter().map(|it| it.pod.clone()).collect());
            pods.unwrap_or_else(|_| Vec::new())
        })
        .collect()
}

/// What the API server asks about these.
pub fn reviews() -> Vec<String> {
    let mut reviews = files(&["tests/golden/admission"], ".json");
    let mut review: Value = serde_json::from_str(&reviews[0]).expect("JSON");
    for pod in all_pods() {
        review["request"]["object"] = pod;
        reviews.push(review.to_string());
    }
    for name in ["subResource", "namespace", "dryRun"] {
        review["request"][name] = Value::Null;
        reviews.push(review.to_string());
    }
    reviews
}

/// Values of `ISTIO_KUBE_APP_PROBERS`.
pub fn variables() -> Vec<String> {
    let text =
        |value: &Value| value.as_str().filter(|it| it.contains("httpGet")).map(str::to_owned);
    let pods = all_pods();
    let containers =
        pods.iter().flat_map(|pod| ["initContainers", "containers"].map(|it| &pod["spec"][it]));
    let env =
        containers.filter_map(Value::as_array).flatten().filter_map(|it| it["env"].as_array());
    let variables: Vec<_> = env.flatten().filter_map(|it| text(&it["value"])).collect();
    assert!(variables.len() > 10);
    variables
}

fn value(text: &str) -> Option<Value> {
    app_health_agent::value(text).ok().filter(Value::is_object)
}
