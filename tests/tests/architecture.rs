//! What ARCHITECTURE.md and the texts beside it and in `docs/` name is there, and all links of the texts lead
//! somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use app_health_tests::program::root;

/// What a line of the text has in backticks, and the words before each.
fn code(line: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = line.split('`').collect();
    parts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

/// Whether it is meant as a place of this project.
fn is_path(code: &str) -> bool {
    let known = [".rs", ".yaml", ".toml", ".txt", ".md"].iter().any(|end| code.ends_with(end));
    let first = code.split('/').next().unwrap_or_default();
    let plain = !code.contains([' ', '<', '(', '*', ':', '=']);
    plain && !first.is_empty() && (known || code.contains('/') && root().join(first).is_dir())
}

/// As it stands, in the folder of the table, or beside the file that was named before it.
fn find(code: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let places = folders.iter().map(|folder| folder.join(code));
    places.chain([root().join(code)]).find(|place| place.exists())
}

/// The names of which the text says that they stand in the file that follows.
fn names<'a>(before: &[(&str, &'a str)], link: &str) -> Vec<&'a str> {
    if link.trim_start_matches(',') != " in " {
        return Vec::new();
    }
    let mut names = Vec::new();
    for (words, code) in before.iter().rev().take_while(|(_, code)| !is_path(code)) {
        names.push(*code);
        if ![", ", " and "].contains(words) {
            break;
        }
    }
    names
}

fn holds(file: &Path, name: &str) -> bool {
    let text = fs::read_to_string(file).expect("a text");
    let last = name.rsplit("::").next().expect("a name");
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(last).any(|(at, _)| {
        let rest = &text[at + last.len()..];
        !text[..at].ends_with(is_part) && !rest.starts_with(is_part)
    })
}

/// What is wrong with a line. Outside tables a file may go by its name alone.
fn faults(line: &str, folder: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let mut folders = vec![folder.to_owned()];
    let all = code(line);
    for (at, (link, code)) in all.iter().enumerate().filter(|(_, (_, code))| is_path(code)) {
        let Some(place) = find(code, &folders) else {
            if !line.starts_with('|') && !code.contains('/') {
                continue;
            }
            faults.push(format!("no {code}: {line}"));
            continue;
        };
        for name in names(&all[..at], link) {
            if place.is_file() && !holds(&place, name) {
                faults.push(format!("no {name} in {code}: {line}"));
            }
        }
        folders.push(place.parent().expect("a folder").to_owned());
    }
    faults
}

/// The texts of a folder, and of those in it where they are asked for.
fn texts(folder: &Path, is_deep: bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("it").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let below = folders.iter().filter(|_| is_deep).flat_map(|folder| texts(folder, true));
    files
        .into_iter()
        .filter(|file| file.extension().is_some_and(|it| it == "md"))
        .chain(below)
        .collect()
}

#[test]
fn what_is_named_is_there() {
    let beside = ["ARCHITECTURE.md", "RATIONALE.md", "BENCH.md", "CONTRIBUTING.md", "SECURITY.md"];
    let docs = texts(&root().join("docs"), false);
    for file in beside.map(|file| root().join(file)).into_iter().chain(docs) {
        let text = fs::read_to_string(&file).expect("a text");
        let mut folder = root().to_owned();
        let mut wrong = Vec::new();
        for line in text.lines() {
            if line.ends_with(':') {
                let mut named = code(line).into_iter().map(|(_, code)| root().join(code));
                folder = named.find(|place| place.is_dir()).unwrap_or(root().to_owned());
            }
            wrong.extend(faults(line, &folder));
        }
        assert!(wrong.is_empty(), "{}: {}", file.display(), wrong.join("\n"));
    }
}

/// The heading of a text as GitHub makes a link of it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || ['-', '_'].contains(c)).collect()
}

/// Whether a link, seen from this folder, leads to a file and to a heading in it.
pub fn leads_somewhere(link: &str, folder: &Path, own: &Path) -> bool {
    let (file, place) = link.split_once('#').unwrap_or((link, ""));
    let file = if file.is_empty() { own.to_owned() } else { folder.join(file) };
    let has =
        |text: String| text.lines().any(|line| line.starts_with('#') && anchor(line) == place);
    file.exists() && (place.is_empty() || fs::read_to_string(file).is_ok_and(has))
}

fn dead_links(text: &str, own: &Path) -> Vec<String> {
    let folder = own.parent().expect("a folder");
    let links = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    let ours = links.filter(|link| !link.contains("://"));
    ours.filter(|link| !leads_somewhere(link, folder, own)).map(str::to_owned).collect()
}

#[test]
fn links_lead_somewhere() {
    let folders = [("", false), ("docs", true), ("envoy-config", true), ("tests", false)];
    for file in folders.iter().flat_map(|(folder, is_deep)| texts(&root().join(folder), *is_deep)) {
        let dead = dead_links(&fs::read_to_string(&file).expect("a text"), &file);
        assert!(dead.is_empty(), "{}: {dead:#?}", file.display());
    }
    let own = root().join("README.md");
    let text =
        "[a](#no-such) [b](docs/gone.md) [c](docs/install.md#gone) [d](docs/install.md#remove)";
    assert_eq!(dead_links(text, &own), ["#no-such", "docs/gone.md", "docs/install.md#gone"]);
}

#[test]
fn what_is_gone_is_missed() {
    for (line, fault) in [
        ("| a row | `judge` in `filter/src/outcome.rs` |", "no judge in"),
        ("| a row | `of_status`, `of_nothing` in `filter/src/outcome.rs` |", "no of_nothing in"),
        ("| a row | `filter/src/probe.rs` |", "no filter/src/probe.rs"),
        ("| a row | `Outcome::reason` in `filter/src/outcome.rs`; `gone.rs` |", "no gone.rs"),
        ("| a row | `of_details` and `of_status` in `filter/src/outcome.rs`, `table.rs` |", ""),
        ("`/app-health/x` and `spec.rs lives` and `POD_IP`", ""),
    ] {
        let faults = faults(line, root());
        assert_eq!(faults.len(), usize::from(!fault.is_empty()), "{line}: {faults:?}");
        assert!(faults.iter().all(|found| found.starts_with(fault)), "{faults:?}");
    }
}
