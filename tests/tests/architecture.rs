//! What ARCHITECTURE.md and the texts beside it name is there.

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

#[test]
fn what_is_named_is_there() {
    for file in ["ARCHITECTURE.md", "RATIONALE.md", "BENCH.md", "CONTRIBUTING.md", "SECURITY.md"] {
        let text = fs::read_to_string(root().join(file)).expect(file);
        let mut folder = root().to_owned();
        let mut wrong = Vec::new();
        for line in text.lines() {
            if line.ends_with(':') {
                let mut named = code(line).into_iter().map(|(_, code)| root().join(code));
                folder = named.find(|place| place.is_dir()).unwrap_or(root().to_owned());
            }
            wrong.extend(faults(line, &folder));
        }
        assert!(wrong.is_empty(), "{file}: {}", wrong.join("\n"));
    }
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
