//! What `scripts/release` makes beside the images.

use std::fs;
use std::process::Command;

use super::script::{REGISTRY, named, run};

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn a_release_has_its_files_and_their_sums() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("dist");
    let mut release = named("release");
    release.arg(&dir).args(["--with", "buildah", "--registry", REGISTRY]);
    let stdout = run(release.env("HELM", app_health_tests::program::tool("HELM", "helm")));
    let images: Vec<_> = stdout.lines().collect();
    for (image, name) in images.iter().zip(["agent", "filter"]) {
        let start = format!("{REGISTRY}/app-health-{name}:{VERSION}@sha256:");
        assert!(image.starts_with(&start), "{stdout}");
    }
    let mut files: Vec<_> = fs::read_dir(&dir).expect("the files").map(name_of).collect();
    files.sort();
    let chart = format!("app-health-{VERSION}.tgz");
    let (amd64, arm64) = ("app-health-agent-linux-amd64", "app-health-agent-linux-arm64");
    let rest = ["app_health_filter.wasm", "install.yaml", "sha256sums.txt"];
    assert_eq!(files, [&[&chart[..], amd64, arm64], &rest[..]].concat());
    run(Command::new("sha256sum")
        .args(["--check", "--strict", "sha256sums.txt"])
        .current_dir(&dir));
    let sums = fs::read_to_string(dir.join("sha256sums.txt")).expect("the sums");
    assert_eq!(sums.lines().count(), files.len() - 1);
    let install = fs::read_to_string(dir.join("install.yaml")).expect("the manifests");
    let (_, digest) = images[0].split_once('@').expect("a digest");
    let wasm = sums.lines().find_map(|line| line.strip_suffix("  app_health_filter.wasm"));
    assert!(install.contains(digest), "{digest}");
    assert!(install.contains(wasm.expect("its sum")), "{sums}");
    for (file, machine) in [(amd64, 62), (arm64, 183)] {
        let program = fs::read(dir.join(file)).expect("a program");
        assert_eq!((&program[..4], program[18]), (&b"\x7fELF"[..], machine), "{file}");
    }
}

fn name_of(entry: std::io::Result<fs::DirEntry>) -> String {
    entry.expect("an entry").file_name().into_string().expect("UTF-8")
}
