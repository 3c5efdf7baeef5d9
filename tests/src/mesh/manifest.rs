//! YAML by the agent's own reader: with the rewrite switched off, a manifest comes out as it was.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program;

/// A manifest of the project, named from its root.
///
/// # Panics
/// Where it cannot be read.
pub fn json(file: &str) -> Value {
    let file = File::open(program::root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    only(convert(file.into(), &["--default-rewrite", "false"], ""))
}

/// The same of a text.
///
/// # Panics
/// Where it is no manifest of one document.
pub fn text_to_json(text: &str) -> Value {
    rewritten(text, &["--default-rewrite", "false"])
}

/// All documents of a text.
///
/// # Panics
/// Where they cannot be read.
pub fn documents(text: &str) -> Vec<Value> {
    convert(Stdio::piped(), &["--default-rewrite", "false"], text)
}

/// What `app-health-agent rewrite` makes of a text.
pub(super) fn rewritten(text: &str, options: &[&str]) -> Value {
    only(convert(Stdio::piped(), options, text))
}

fn only(mut documents: Vec<Value>) -> Value {
    assert_eq!(documents.len(), 1, "one document");
    documents.remove(0)
}

fn convert(stdin: Stdio, options: &[&str], text: &str) -> Vec<Value> {
    let mut command = Command::new(program::agent());
    command.args(["rewrite", "-o", "json", "-f", "-"]).args(options);
    let mut child = command.stdin(stdin).stdout(Stdio::piped()).spawn().expect("the agent runs");
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).expect("the agent reads");
    }
    let output = child.wait_with_output().expect("the agent ends");
    assert!(output.status.success(), "{command:?}: {}", output.status);
    let documents = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    documents.collect::<Result<_, _>>().expect("JSON from the agent")
}
