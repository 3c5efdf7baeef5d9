//! Manifests through the agent's `rewrite` and `restore`: what comes out reads as what came in, patched.

use serde_json::Value;
use serde_json::de::Deserializer;

use crate::{memory, seeds};

/// What reading a text may take, beside so much of each of its bytes.
const LEAST: usize = 2 << 20;
const PER_BYTE: usize = 400;

pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for command in ["rewrite", "restore"] {
        check(command, text);
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    seeds::manifests().into_iter().map(String::into_bytes).collect()
}

fn check(command: &str, text: &str) {
    let (edited, peak) = memory::peak(|| app_health_agent::edited(&[command], text));
    // What aliases add has a limit of its own, of many MiB.
    if !text.contains('*') {
        let most = LEAST + PER_BYTE * text.len();
        assert!(peak <= most, "{peak} bytes of memory for {} of text", text.len());
    }
    let Ok(edited) = edited else { return };
    let expected = patched(command, text);
    assert_eq!(values(&[command, "--output", "json"], text), expected, "as JSON");
    assert_eq!(as_it_is(&edited), expected, "as it is written: {edited}");
    let yaml = run(&[command, "--output", "yaml"], text);
    assert_eq!(as_it_is(&yaml), expected, "as YAML: {yaml}");
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        assert_eq!(as_it_is(text), [value], "read otherwise than by serde_json");
    }
}

/// Every document with the patch that the command prints, by another library.
fn patched(command: &str, text: &str) -> Vec<Value> {
    let patches = run(&[command, "--output", "patch"], text);
    let patches = Deserializer::from_str(&patches).into_iter::<Value>();
    let mut documents = as_it_is(text);
    let mut count = 0;
    for (document, line) in documents.iter_mut().zip(patches) {
        let patch = line.expect("JSON")["patch"].take();
        let patch: json_patch::Patch = serde_json::from_value(patch).expect("a JSON Patch");
        json_patch::patch(document, &patch).expect("it fits");
        count += 1;
    }
    assert_eq!(count, documents.len(), "a patch for each document");
    documents
}

/// The documents, as the agent reads them: of a sidecar that is nowhere there is nothing to restore.
fn as_it_is(text: &str) -> Vec<Value> {
    values(&["restore", "--sidecar", "nowhere", "--output", "json"], text)
}

fn values(arguments: &[&str], text: &str) -> Vec<Value> {
    let text = run(arguments, text);
    Deserializer::from_str(&text).into_iter().map(|value| value.expect("JSON")).collect()
}

fn run(arguments: &[&str], text: &str) -> String {
    app_health_agent::edited(arguments, text)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
}
