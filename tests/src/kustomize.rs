//! Manifests as the real Kustomize builds them.

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::manifest::documents;
use crate::process;
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
    build_beside(kustomization, &[])
}

/// The same, with files of the user's own beside it: their names and texts.
///
/// # Panics
/// As [`build`].
pub fn build_beside(kustomization: &str, files: &[(&str, &str)]) -> Vec<Value> {
    let folder = folder_of(&(kustomization, files));
    write_kustomization(&folder, kustomization);
    for (name, text) in files {
        write(&folder.join(name), text);
    }
    run(&folder)
}

/// What the second of two makes, which names the first as `../filter`.
///
/// # Panics
/// As [`build`].
pub fn build_second(first: &str, second: &str) -> Vec<Value> {
    let folder = folder_of(&(first, second));
    let folders = ["filter", "second"].map(|name| folder.join(name));
    for (folder, kustomization) in folders.iter().zip([first, second]) {
        fs::create_dir_all(folder).expect("a folder in target");
        write_kustomization(folder, kustomization);
    }
    run(&folders[1])
}

/// With the project at [`PATH`]: Kustomize takes no absolute paths.
fn write_kustomization(folder: &Path, text: &str) {
    let up = "../".repeat(folder.components().count() - 1);
    let root = format!("{up}{}", root().display().to_string().trim_start_matches('/'));
    write(&folder.join("kustomization.yaml"), &text.replace(PATH, &root));
}

/// At once, as others may be reading the same.
fn write(path: &Path, text: &str) {
    let folder = path.parent().expect("a folder");
    let mut whole = NamedTempFile::new_in(folder).expect("a file beside it");
    whole.write_all(text.as_bytes()).expect("it can be written");
    whole.persist(path).expect("it can be renamed");
}

/// Where a kustomization of these texts belongs, time and again, below `target/`: a test that is
/// interrupted leaves nothing in /tmp. Others have a folder of their own, as tests run side by side.
fn folder_of(texts: &impl Hash) -> PathBuf {
    let mut hash = DefaultHasher::new();
    texts.hash(&mut hash);
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| root().join("target"));
    let folder = target.join(format!("kustomizations/{:016x}", hash.finish()));
    fs::create_dir_all(&folder).expect("a folder in target");
    folder.canonicalize().expect("its path")
}

fn run(folder: &Path) -> Vec<Value> {
    let mut command = process::command(tool("KUSTOMIZE", "kustomize"));
    let text = process::run(command.arg("build").arg(folder), "").succeeded();
    documents(&text)
}
