//! Manifests through the agent's `rewrite` and `restore`: what comes out reads as what came in, patched.

use app_health_agent::edited;
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
    let seeds = seeds::manifests();
    let read = seeds.iter().filter(|text| edited(&["restore"], text).is_ok());
    assert!(read.count() > 50, "the seeds can be read");
    seeds.into_iter().map(String::into_bytes).collect()
}

fn check(command: &str, text: &str) {
    let (edited, peak) = memory::peak(|| edited(&[command], text));
    // What aliases add has a limit of its own, of many MiB.
    if !text.contains('*') {
        let most = LEAST + PER_BYTE * text.len();
        assert!(peak <= most, "{peak} bytes of memory for {} of text", text.len());
    }
    let Ok(edited) = edited else { return };
    let Some(expected) = patched(command, text) else { return };
    let json = run(&[command, "--output", "json"], text);
    assert_eq!(values(&json), expected, "as JSON");
    let yaml = run(&[command, "--output", "yaml"], text);
    for (how, text) in [("as it is", &edited), ("as YAML", &yaml)] {
        let read = as_it_is(text);
        assert!(read.is_none_or(|read| read == expected), "{how}: {text}");
    }
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        assert_eq!(as_it_is(text), Some(vec![value]), "read otherwise than by serde_json");
    }
}

/// Every document with the patch that the command prints, by another library.
fn patched(command: &str, text: &str) -> Option<Vec<Value>> {
    let patches = values(&run(&[command, "--output", "patch"], text));
    let mut documents = as_it_is(text)?;
    assert_eq!(patches.len(), documents.len(), "a patch for each document");
    for (document, mut line) in documents.iter_mut().zip(patches) {
        let patch: json_patch::Patch =
            serde_json::from_value(line["patch"].take()).expect("a JSON Patch");
        json_patch::patch(document, &patch).expect("it fits");
    }
    Some(documents)
}

/// The documents, as the agent reads them: of a sidecar that is nowhere there is nothing to restore. `None` where one
/// has a fault that matters only then: a port that no probe names in the one, and a probe in the other.
fn as_it_is(text: &str) -> Option<Vec<Value>> {
    match edited(&["restore", "--sidecar", "nowhere", "--output", "json"], text) {
        Ok(json) => Some(values(&json)),
        Err(error) => {
            assert!(error.contains(": /"), "{error}: {text}");
            None
        }
    }
}

fn values(json: &str) -> Vec<Value> {
    Deserializer::from_str(json).into_iter().map(|value| value.expect("JSON")).collect()
}

fn run(arguments: &[&str], text: &str) -> String {
    edited(arguments, text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
}
