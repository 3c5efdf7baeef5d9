//! What makes a release: the workflows name what is there, the version is one, and the notes are those of the tag. Its files: [`crate::image`].

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use app_health_tests::process::{self, command};
use app_health_tests::program::root;

const WORKFLOWS: [&str; 2] = [".github/workflows/ci.yml", ".github/workflows/release.yml"];

fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// What is wrong with a text's calls of the project's scripts, and how many there are.
fn faults(text: &str) -> (Vec<String>, usize) {
    let lines = text.replace("\\\n", " ");
    let commands = lines.split(['\n', '|', ';', ')', '>', '`']);
    let calls = commands.filter_map(|command| Some(command.split_once("scripts/")?.1));
    // All of them together are no call.
    let calls: Vec<_> = calls.filter(|call| !call.starts_with('*')).collect();
    let faults = calls.iter().flat_map(|call| faults_of(call)).collect();
    (faults, calls.len())
}

fn faults_of(call: &str) -> Vec<String> {
    let mut words = call.split([' ', '"', '\'', '(', ',']);
    let name = words.next().unwrap_or_default().trim_end_matches(['.', ':']);
    let file = root().join("scripts").join(name);
    let Ok(script) = fs::read_to_string(&file) else { return vec![format!("no scripts/{name}")] };
    let mode = fs::metadata(&file).expect("a file").permissions().mode();
    let refused = (mode & 0o111 == 0).then(|| format!("scripts/{name} cannot be run"));
    let options = words.filter(|word| word.starts_with("--"));
    let unknown = options.filter(|option| !script.contains(option));
    refused.into_iter().chain(unknown.map(|option| format!("no {option} of {name}"))).collect()
}

#[test]
fn scripts_that_are_named_are_there_and_know_their_options() {
    for file in WORKFLOWS.iter().chain(&["README.md", "CONTRIBUTING.md", "docs/install.md"]) {
        let (faults, calls) = faults(&text(file));
        assert_eq!((faults, calls > 0), (Vec::new(), true), "{file}");
    }
    for (call, fault) in [
        ("- run: sudo scripts/tset | tee x", "no scripts/tset"),
        ("scripts/test --quick --fast", "no --fast of test"),
        ("made=$(scripts/release dist \\\n  --psuh)", "no --psuh of release"),
    ] {
        assert_eq!(faults(call), (vec![fault.to_owned()], 1), "{call}");
    }
}

#[test]
fn each_file_that_is_attested_is_made() {
    let made = text("scripts/release");
    let release = text(WORKFLOWS[1]);
    let named: Vec<_> =
        release.split("dist/").skip(1).filter_map(|rest| rest.split_whitespace().next()).collect();
    assert!(named.len() > 2, "{named:?}");
    for file in named.iter().filter(|file| **file != "*") {
        assert!(made.contains(file), "{file}");
    }
}

#[test]
fn actions_of_others_are_named_by_their_commit() {
    for file in WORKFLOWS {
        for line in text(file).lines().filter(|line| line.contains("uses:")) {
            let (_, action) = line.split_once("uses: ").expect("an action");
            if let Some(own) = action.strip_prefix("./") {
                assert!(root().join(own).is_file(), "{line}");
                continue;
            }
            let (action, version) = action.split_once(" # v").expect(line);
            let (_, commit) = action.split_once('@').expect(line);
            assert!(commit.len() == 40 && commit.bytes().all(|c| c.is_ascii_hexdigit()), "{line}");
            assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{line}");
        }
    }
}

#[test]
fn no_job_may_write_unless_it_says_so() {
    let all = ["\npermissions: {}\n", "\npermissions:\n  contents: read\n\n"];
    for file in WORKFLOWS {
        let text = text(file);
        assert!(all.iter().any(|all| text.contains(all)), "{file}");
    }
}

/// Where manifests and texts name a version of ours: as a tag, a label, the chart's, and that of its file.
const VERSIONS: &str = r"(app-health-((agent|filter):)?|newTag: |/version: |^(appV|v)ersion: )[0-9]+\.[0-9.]*(-[0-9A-Za-z.]+)?";

/// The versions that are named in a folder like the project's, each with its place.
fn versions(folder: &Path) -> Vec<(String, String)> {
    let mut grep = command("grep");
    grep.args(["-rnoE", VERSIONS, "envoy-config", "docs", "README.md", "CONTRIBUTING.md"]);
    let found = process::run(grep.current_dir(folder), "").succeeded();
    let named = found.lines().map(|line| {
        let (place, version) = line.rsplit_once([':', ' ']).expect("what was asked for");
        (
            place.to_owned(),
            version.trim_start_matches("app-health-").trim_end_matches('.').to_owned(),
        )
    });
    let read = |name| fs::read_to_string(folder.join(name)).expect("a text");
    let (manifest, lock) = (read("Cargo.toml"), read("Cargo.lock"));
    let version = |rest: &str, at| rest.split('"').nth(at).expect("a version").to_owned();
    let all =
        manifest.split("\nversion = ").skip(1).map(|it| ("Cargo.toml".to_owned(), version(it, 1)));
    let locked = lock.split("name = \"app-health-").skip(1);
    named.chain(all).chain(locked.map(|it| ("Cargo.lock".to_owned(), version(it, 2)))).collect()
}

fn are_all(versions: &[(String, String)], expected: &str) {
    let others: Vec<_> = versions.iter().filter(|(_, version)| version != expected).collect();
    assert!(others.is_empty(), "not {expected}, which scripts/version sets: {others:#?}");
}

#[test]
fn the_version_is_one_and_set_by_one_command() {
    let own = versions(root());
    are_all(&own, env!("CARGO_PKG_VERSION"));

    let folder = tempfile::tempdir().expect("a folder");
    let copied = [
        "envoy-config",
        "docs",
        "scripts",
        "README.md",
        "CONTRIBUTING.md",
        "Cargo.toml",
        "Cargo.lock",
    ];
    let mut copy = command("cp");
    copy.arg("-a").args(copied.map(|name| root().join(name))).arg(folder.path());
    process::run(&mut copy, "").succeeded();
    let set = |version: &str| {
        process::run(command(folder.path().join("scripts/version")).arg(version), "")
    };
    for version in ["10.20.30-rc.1", "10.20.30"] {
        set(version).succeeded();
        let all = versions(folder.path());
        assert_eq!(all.len(), own.len());
        are_all(&all, version);
    }
    for version in ["", "v1.2.3", "1.2", "1.2.3/4"] {
        let run = set(version);
        assert_eq!(
            (run.exit, &*run.stderr),
            (1, "scripts/version: takes a version, as in 0.2.0\n"),
            "{version}"
        );
    }
    are_all(&versions(folder.path()), "10.20.30");
}

#[test]
fn notes_are_of_the_version_that_the_tag_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("scripts/release-notes");
    fs::create_dir(script.parent().expect("a folder")).expect("made");
    fs::copy(root().join("scripts/release-notes"), &script).expect("copied");
    let write =
        |file: &str, text: &str| fs::write(folder.path().join(file), text).expect("written");
    write("Cargo.toml", "[workspace.package]\nversion = \"0.2.0\"\n[x]\na = { version = \"1\" }\n");
    write("CHANGELOG.md", "# Changelog\n\n## 0.2.0\n\n- new\n\n## 0.1.0\n\n- old\n");
    assert_eq!(notes(&script, "v0.2.0"), (0, "\n- new\n".to_owned(), String::new()));
    for tag in ["v0.1.0", "0.2.0", "v0.2.0-rc.1"] {
        let fault = format!(
            "scripts/release-notes: the tag {tag} is not v0.2.0, the version in Cargo.toml\n"
        );
        assert_eq!(notes(&script, tag), (1, String::new(), fault));
    }
    write(
        "CHANGELOG.md",
        "# Changelog\n\n## Unreleased\n\n- new\n\n## 0.2.0\n\n## 0.1.0\n\n- old\n",
    );
    let fault = "scripts/release-notes: CHANGELOG.md has nothing under '## 0.2.0'\n".to_owned();
    assert_eq!(notes(&script, "v0.2.0"), (1, String::new(), fault));
}

fn notes(script: &Path, tag: &str) -> (i32, String, String) {
    let run = process::run(command(script).arg(tag), "");
    (run.exit, run.stdout, run.stderr)
}
