//! YAML by the agent's own reader: with the rewrite switched off, a manifest comes out as it was.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program;

const AS_IT_IS: &[&str] = &["--default-rewrite", "false"];

/// A manifest of the project, named from its root.
///
/// # Panics
/// Where it cannot be read, or is not one document.
pub fn json(file: &str) -> Value {
    let handle = File::open(program::root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    only(convert(handle.into(), AS_IT_IS, ""))
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
    convert(Stdio::piped(), AS_IT_IS, text)
}

/// What `app-health-agent rewrite` makes of a text.
///
/// # Panics
/// Where it is no manifest of one document.
pub fn rewritten(text: &str, options: &[&str]) -> Value {
    only(convert(Stdio::piped(), options, text))
}

fn only(documents: Vec<Value>) -> Value {
    let [document] = <[Value; 1]>::try_from(documents).expect("one document");
    document
}

fn convert(stdin: Stdio, options: &[&str], text: &str) -> Vec<Value> {
    let mut command = Command::new(program::agent());
    command.args(["rewrite", "-o", "json", "-f", "-"]).args(options);
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the agent runs");
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).expect("the agent reads");
    }
    let output = child.wait_with_output().expect("the agent ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}, {said}", output.status);
    let documents = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    documents.collect::<Result<_, _>>().expect("JSON from the agent")
}
