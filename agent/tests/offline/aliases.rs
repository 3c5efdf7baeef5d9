//! What a file of YAML unfolds to by aliases is bounded, in bytes as well: each of these is read in
//! little memory, whether it is refused or not.

use std::fs;

use app_health_tests::process::{self, Run};

use crate::BINARY;

/// What `ulimit -v` allows, in KiB: what the program maps at its start is some 10 MiB of it.
const LIMIT: usize = 256 << 10;

fn limited(args: &str, text: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("manifest");
    fs::write(&file, text).unwrap();
    let script = format!("ulimit -v {LIMIT} && exec \"$0\" {args} -f \"$1\"");
    process::run(process::command("sh").args(["-c", &script, BINARY]).arg(file), "")
}

/// An object with this in it.
fn manifest(content: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\n{content}\n")
}

fn items(item: &str, count: usize) -> String {
    format!("[{}]", vec![item; count].join(", "))
}

/// 148 KB twelve thousand times are 1.7 GB.
#[test]
fn much_text_by_many_aliases() {
    let long = "x".repeat(148_000);
    let many = 12_000;
    let deep = format!("{}\"{long}\"{}", "&d [".repeat(90), "]".repeat(90));
    let documents = manifest(&format!("a: &a {long}\nb: {}\n---", items("*a", 200)));
    for (what, text) in [
        ("a value", manifest(&format!("a: &a {long}\nb: {}", items("*a", many)))),
        ("a key", manifest(&format!("a: &a {long}\nb: {}", items("{*a : 1}", many)))),
        ("a key within", manifest(&format!("a: &a\n  ? {long}\n  : 1\nb: {}", items("*a", many)))),
        ("a merged one", manifest(&format!("a: &a {{k: {long}}}\nb: {}", items("{<<: *a}", many)))),
        ("a tag", manifest(&format!("a: &a !<{long}> x\nb: {}", items("*a", many)))),
        ("binary", manifest(&format!("a: &a !!binary {long}\nb: {}", items("*a", many)))),
        ("a number", manifest(&format!("a: &a 1{}\nb: {}", "0".repeat(300), items("*a", 900_000)))),
        ("anchors alone", manifest(&format!("a: [{}]", vec![deep; 60].join(",\n")))),
        ("many documents", documents.repeat(60)),
    ] {
        for args in ["rewrite", "rewrite -o json", "restore"] {
            let run = limited(args, &text);
            let said = run.stderr;
            assert_eq!(run.exit, 65, "{what}, {args}: {said:.300}");
            assert_eq!(said.lines().count(), 1, "{what}, {args}: {said:.300}");
            assert!(
                said.contains("anchors and aliases add more than 32 MiB of text"),
                "{what}: {said:.300}"
            );
            assert!(said.contains(": line "), "{what}: {said:.300}");
        }
    }
}

/// More than any cluster would take.
#[test]
fn what_is_within_the_bound_is_read_in_little_memory() {
    let text = manifest(&format!("a: &a {}\nb: {}", "x".repeat(148_000), items("*a", 200)));
    let run = limited("rewrite", &text);
    assert_eq!((run.exit, run.stderr.as_str(), run.stdout == text), (0, "", true));
    let run = limited("rewrite -o json", &text);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    assert!(run.stdout.len() > 200 * 148_000);
}

/// What has an anchor is kept for its aliases, and only until its document ends.
#[test]
fn many_documents_with_anchors_of_their_own() {
    let name = "x".repeat(2000);
    let document = manifest(&format!("a: &a {name}\nb: [*a]\nc: &c [&d {name}, &e {name}]"));
    let text = vec![document; 6000].join("---\n");
    let run = limited("rewrite", &text);
    assert_eq!((run.exit, run.stderr.as_str(), run.stdout == text), (0, "", true));
}
