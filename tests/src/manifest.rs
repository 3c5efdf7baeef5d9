//! YAML by the agent's own reader: with the rewrite switched off, a manifest comes out as it was.

use std::fs;

use serde_json::Value;

use crate::{process, program};

const AS_IT_IS: &[&str] = &["--default-rewrite", "false"];

/// A manifest of the project, named from its root.
///
/// # Panics
/// Where it cannot be read, or is not one document.
pub fn json(file: &str) -> Value {
    let text = fs::read_to_string(program::root().join(file));
    text_to_json(&text.unwrap_or_else(|error| panic!("{file}: {error}")))
}

/// The bootstrap that ships.
///
/// # Panics
/// As [`json`].
pub fn bootstrap() -> Value {
    let file = program::root().join("envoy-config/envoy.yaml");
    let text = fs::read_to_string(file).expect("envoy-config/envoy.yaml");
    // The reader takes manifests only.
    text_to_json(&format!("apiVersion: envoy\nkind: Bootstrap\n{text}"))
}

/// The same of a text.
///
/// # Panics
/// Where it is no manifest of one document.
pub fn text_to_json(text: &str) -> Value {
    only(documents(text))
}

/// The documents of a text.
///
/// # Panics
/// Where they are no manifests.
pub fn documents(text: &str) -> Vec<Value> {
    convert(AS_IT_IS, text)
}

/// What `app-health-agent rewrite` makes of a text.
///
/// # Panics
/// Where it is no manifest of one document.
pub fn rewritten(text: &str, options: &[&str]) -> Value {
    only(convert(options, text))
}

fn only(documents: Vec<Value>) -> Value {
    let [document] = <[Value; 1]>::try_from(documents).expect("one document");
    document
}

fn convert(options: &[&str], text: &str) -> Vec<Value> {
    let mut command = process::command(program::agent());
    command.args(["rewrite", "-o", "json", "-f", "-"]).args(options);
    let json = process::run(&mut command, text).succeeded();
    let documents = serde_json::Deserializer::from_str(&json).into_iter();
    documents.collect::<Result<_, _>>().expect("JSON from the agent")
}
