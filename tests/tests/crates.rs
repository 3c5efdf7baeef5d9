//! Each crate that a `Cargo.toml` names is used, and RATIONALE.md says what for.

use std::fs;
use std::path::Path;

use app_health_tests::process;
use app_health_tests::program::root;
use serde_json::Value;

struct Dependency {
    name: String,
    /// As code names it.
    path: String,
    /// Those of `[dev-dependencies]`.
    for_tests: bool,
}

/// A package's folder, and what it depends on.
fn packages() -> Vec<(String, Vec<Dependency>)> {
    let mut cargo = process::command(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version=1"]).current_dir(root());
    let metadata: Value =
        serde_json::from_str(&process::run(&mut cargo, "").succeeded()).expect("cargo's JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let dependency = |one: &Value| {
        let called = one["rename"].as_str().or(one["name"].as_str()).expect("a name");
        let path = format!("{}::", called.replace('-', "_"));
        Dependency { name: text(&one["name"]), path, for_tests: one["kind"] == "dev" }
    };
    let read = |package: &Value| {
        let folder = text(&package["manifest_path"]).replace("/Cargo.toml", "");
        (folder, list(&package["dependencies"]).iter().map(dependency).collect())
    };
    list(&metadata["packages"]).iter().map(read).collect()
}

/// All Rust code of a folder, but for packages of their own in it, and perhaps without its unit tests.
fn code(folder: &Path, with_tests: bool) -> String {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("it").path());
    let mut all = String::new();
    for path in entries.filter(|path| with_tests || path.file_stem() != Some("tests".as_ref())) {
        if path.is_dir() && !path.join("Cargo.toml").exists() && !path.ends_with("target") {
            all += &code(&path, with_tests);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).expect("a text");
            // They stand at a file's end.
            let tests = if with_tests { None } else { text.find("#[cfg(test)]\nmod tests {") };
            all += &text[..tests.unwrap_or(text.len())];
        }
    }
    all
}

/// Not as the end of a longer name, as in `String::` for `ring`, nor within another crate, as in `std::time::`.
fn names(code: &str, path: &str) -> bool {
    let is_longer = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    code.match_indices(path).any(|(at, _)| !code[..at].ends_with(is_longer))
}

/// One that only tests use is to stand in `[dev-dependencies]`.
#[test]
fn each_is_used() {
    for (folder, dependencies) in packages() {
        let all = code(Path::new(&folder), true);
        let shipped = code(&Path::new(&folder).join("src"), false);
        for Dependency { path, for_tests, .. } in dependencies {
            let (code, whose) = if for_tests { (&all, "") } else { (&shipped, "/src") };
            assert!(names(code, &path), "{folder}{whose}: nothing names {path}");
        }
    }
}

#[test]
fn the_rationale_says_what_each_is_for() {
    let text = fs::read_to_string(root().join("RATIONALE.md")).expect("a text");
    let (_, section) = text.split_once("\n## Crates\n").expect("the section");
    let words: Vec<&str> =
        section.split(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c)).collect();
    for (folder, dependencies) in packages() {
        let names = dependencies.iter().map(|dependency| dependency.name.as_str());
        for name in names.filter(|name| !name.starts_with("app-health-")) {
            assert!(words.contains(&name), "RATIONALE.md has nothing on {name} ({folder})");
        }
    }
}
