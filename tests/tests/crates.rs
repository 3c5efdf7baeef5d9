//! Each crate that a `Cargo.toml` names is used, and RATIONALE.md says what for.

use std::fs;
use std::path::Path;

use app_health_tests::process;
use app_health_tests::program::root;
use serde_json::Value;

/// A package's folder, and the names of the crates that it depends on.
fn packages() -> Vec<(String, Vec<String>)> {
    let mut cargo = process::command(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version=1"]).current_dir(root());
    let metadata: Value =
        serde_json::from_str(&process::run(&mut cargo, "").succeeded()).expect("cargo's JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let read = |package: &Value| {
        let folder = text(&package["manifest_path"]).replace("/Cargo.toml", "");
        (folder, list(&package["dependencies"]).iter().map(|one| text(&one["name"])).collect())
    };
    list(&metadata["packages"]).iter().map(read).collect()
}

/// All Rust code of a folder, but for packages of their own in it.
fn code(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("it").path());
    let mut all = String::new();
    for path in entries {
        if path.is_dir() && !path.join("Cargo.toml").exists() && !path.ends_with("target") {
            all += &code(&path);
        } else if path.extension().is_some_and(|end| end == "rs") {
            all += &fs::read_to_string(&path).expect("a text");
        }
    }
    all
}

#[test]
fn each_is_used() {
    for (folder, crates) in packages() {
        let code = code(Path::new(&folder));
        for name in crates {
            let path = format!("{}::", name.replace('-', "_"));
            assert!(code.contains(&path), "{folder}/Cargo.toml: nothing names {name}");
        }
    }
}

#[test]
fn the_rationale_says_what_each_is_for() {
    let text = fs::read_to_string(root().join("RATIONALE.md")).expect("a text");
    let (_, section) = text.split_once("\n## Crates\n").expect("the section");
    let words: Vec<&str> =
        section.split(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c)).collect();
    for (folder, crates) in packages() {
        for name in crates.iter().filter(|name| !name.starts_with("app-health-")) {
            assert!(
                words.contains(&name.as_str()),
                "RATIONALE.md has nothing on {name} ({folder})"
            );
        }
    }
}
