//! Manifests as the real Kustomize builds them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::manifest::documents;
use crate::program::{root, tool};

/// Where the project is, in a kustomization that its READMEs show.
pub const PATH: &str = "path/to";

/// What the kustomization in this folder of the project makes.
///
/// # Panics
/// Without Kustomize, or where it refuses, with what it says.
pub fn build(folder: &str) -> Vec<Value> {
    run(&root().join(folder))
}

/// What a kustomization of a user's own makes, that names these folders of the project as its
/// resources and components.
///
/// # Panics
/// As [`build`].
pub fn compose(resources: &[&str], components: &[&str]) -> Vec<Value> {
    let named = |all: &[&str]| all.iter().map(|one| format!("{PATH}/{one}")).collect::<Vec<_>>();
    let file = json!({"resources": named(resources), "components": named(components)});
    build_text(&file.to_string())
}

/// What a kustomization of a user's own makes, in which the project is at [`PATH`].
///
/// # Panics
/// As [`build`].
pub fn build_text(kustomization: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().canonicalize().expect("its path");
    // Kustomize takes no absolute ones.
    let up = "../".repeat(path.components().count() - 1);
    let root = format!("{up}{}", root().display().to_string().trim_start_matches('/'));
    let file = kustomization.replace(PATH, &root);
    fs::write(path.join("kustomization.yaml"), file).expect("it can be written");
    run(&path)
}

fn run(folder: &Path) -> Vec<Value> {
    let mut command = Command::new(tool("KUSTOMIZE", "kustomize"));
    let output = command.arg("build").arg(folder).output().expect("kustomize runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    documents(&String::from_utf8_lossy(&output.stdout))
}
