//! `scripts/cluster-test` without a cluster: it says what it lacks, and touches nothing.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use app_health_tests::process::{self, command};
use app_health_tests::program::root;
use tempfile::TempDir;

/// Runs it with these programs alone beside those that every machine has, and with these arguments.
fn refusal(programs: &TempDir, kubeconfig: &str, args: &[&str]) -> String {
    let mut script = command(root().join("scripts/cluster-test"));
    script.args(args).env("PATH", programs.path()).env("TMPDIR", programs.path());
    let run = process::run(script.env("KUBECONFIG", kubeconfig), "");
    assert_eq!((run.exit, &*run.stdout), (64, ""), "{args:?}: {}", run.stderr);
    run.stderr.trim_end().replacen("scripts/cluster-test: ", "", 1)
}

/// A folder with the programs that every machine has.
fn usual() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["bash", "cat", "dirname", "grep", "mktemp", "realpath", "rm", "sed", "timeout"] {
        let found = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name));
        let program = found.iter().find(|path| path.exists()).expect(name);
        symlink(program, folder.path().join(name)).expect("a link");
    }
    folder
}

/// Some file.
fn wasm_file() -> String {
    root().join("Cargo.toml").display().to_string()
}

fn add(folder: &TempDir, name: &str, script: &str) {
    let program = folder.path().join(name);
    fs::write(&program, format!("#!/usr/bin/env bash\n{script}\n")).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("may be run");
}

#[test]
fn wrong_arguments_are_named() {
    let programs = usual();
    for (args, why) in [
        (&["--fast"][..], "unknown argument --fast (see --help)"),
        (&["shop"], "unknown argument shop (see --help)"),
        (&["--image"], "--image: expected a value after it (see --help)"),
        (&["--pods", "0"], "--pods: expected a number from 1 to 9999, not 0"),
        (&["--burst", "many"], "--burst: expected a number from 1 to 9999, not many"),
    ] {
        assert_eq!(refusal(&programs, "x", args), why);
    }
}

#[test]
fn what_it_lacks_is_named() {
    let programs = usual();
    let none = "KUBECONFIG is not set: it names the cluster to try app-health in";
    assert_eq!(refusal(&programs, "", &[]), none);
    let kubectl = "needs kubectl on the PATH: https://kubernetes.io/docs/tasks/tools/";
    assert_eq!(refusal(&programs, "x", &[]), kubectl);

    add(&programs, "kubectl", "exit 1");
    assert_eq!(refusal(&programs, "x", &[]), "the cluster of x does not answer");
    add(&programs, "kubectl", "");
    let wasm = "--wasm: /nowhere is not there: scripts/image makes it, with the image";
    assert_eq!(refusal(&programs, "x", &["--wasm", "/nowhere"]), wasm);
    let agent = "--agent: needs app-health-agent: cargo install --locked --path agent";
    assert_eq!(refusal(&programs, "x", &["--wasm", &wasm_file()]), agent);
}

#[test]
fn a_cluster_that_has_app_health_is_left_alone() {
    let programs = usual();
    add(&programs, "app-health-agent", "exit 1");
    let asked = programs.path().join("asked");
    for (has, why) in [
        ("namespace/app-health", "app-health is in this cluster already: one, two"),
        (
            "-l app-health-cluster-test",
            "an earlier run has left something: scripts/cluster-test --clean",
        ),
    ] {
        let answers = format!("[[ $* != *'{has}'* ]] || printf '%s\\n' one two");
        add(&programs, "kubectl", &format!("echo \"$*\" >>{}\n{answers}", asked.display()));
        assert_eq!(refusal(&programs, "x", &["--wasm", &wasm_file()]), why);
    }
    let asked = fs::read_to_string(asked).expect("what it was asked");
    assert!(asked.lines().all(|line| line.contains("get ")), "{asked}");
}
