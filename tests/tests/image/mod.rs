//! The images that `scripts/image` makes.

mod archive;
mod made;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use app_health_tests::app::{Closed, Open, V4};
use app_health_tests::kubelet::Get;
use app_health_tests::net::free_port;
use app_health_tests::process::{Process, command};
use app_health_tests::program::root;
use app_health_webhook::tcp_check;
use serde_json::json;

use made::{DATE, SOURCE, clones, run};

const IMAGES: [&str; 2] = ["app-health-agent", "app-health-filter"];

#[test]
fn the_same_commit_gives_the_same_digests() {
    let [one, other] = clones();
    assert_eq!(one.stdout, other.stdout);
    for (line, name) in one.stdout.lines().zip(IMAGES) {
        let top = one.archive(name).top;
        let digest = top["digest"].as_str().expect("a digest");
        assert_eq!(line, format!("registry.test/mesh/{name}:0.1.0@{digest}"));
        let named = &top["annotations"]["io.containerd.image.name"];
        assert_eq!(named, &format!("registry.test/mesh/{name}:0.1.0"));
    }
    assert_eq!(one.stdout.lines().count(), IMAGES.len());
}

#[test]
fn source_version_licence_and_commit_are_in_the_labels() {
    let [one, _] = clones();
    let head = run(Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(one.folder.join("app-health")));
    for name in IMAGES {
        for image in one.archive(name).images() {
            let labels = &image.config["config"]["Labels"];
            assert_eq!(labels, &image.manifest["annotations"]);
            for (key, value) in [
                ("title", name),
                ("source", SOURCE),
                ("version", "0.1.0"),
                ("licenses", "Apache-2.0"),
                ("revision", head.trim()),
            ] {
                assert_eq!(labels[format!("org.opencontainers.image.{key}")], value, "{name}");
            }
            assert_eq!(image.config["created"], "2023-11-14T22:13:20Z", "{DATE}");
        }
    }
}

#[test]
fn the_agent_runs_on_both_architectures() {
    let images = clones()[0].archive("app-health-agent").images();
    assert_eq!(
        images.iter().map(|image| &image.architecture[..]).collect::<Vec<_>>(),
        ["amd64", "arm64"]
    );
    for image in images {
        let config = &image.config["config"];
        assert_eq!(config["Entrypoint"], json!(["/app-health-agent"]));
        assert_eq!(config["User"], "15023:15023");
        assert!(image.list.starts_with("-rwxr-xr-x 0/0 "), "{}", image.list);
        assert!(image.list.ends_with(" 2023-11-14 22:13:20 app-health-agent"), "{}", image.list);
        let program = image.files.path().join("app-health-agent");
        let version = run(on(&image.architecture, &program).arg("--version"));
        assert_eq!(version, "app-health-agent 0.1.0\n");
        serves(on(&image.architecture, &program));
    }
}

/// It checks a port that accepts, and one that does not.
fn serves(mut agent: Command) {
    let (open, closed) = (Open::start(V4), Closed::start(V4));
    let listen = SocketAddr::new(V4, free_port());
    let agent = Process::start("agent", agent.args(["serve", "--listen", &listen.to_string()]));
    let check = |port: SocketAddr| {
        Get::probe(listen, tcp_check::path(&V4.to_string(), port.port())).status()
    };
    agent.wait_until(|| check(open.addr()).map(drop));
    assert_eq!((check(open.addr()), check(closed.addr())), (Ok(200), Ok(500)));
}

/// The program by qemu-user where the architecture is not this machine's.
fn on(architecture: &str, program: &Path) -> Command {
    let cpu = if architecture == "amd64" { "x86_64" } else { "aarch64" };
    if cpu == std::env::consts::ARCH {
        return command(program);
    }
    let qemu = [format!("qemu-{cpu}-static"), format!("qemu-{cpu}")];
    let there = |name: &&String| Command::new(name).arg("--version").output().is_ok();
    let qemu = qemu.iter().find(there).expect("no qemu-user: scripts/packages qemu-user-static");
    let mut run = command(qemu);
    run.arg(program);
    run
}

/// Istio and Envoy Gateway take the first file of the last layer whose name is plugin.wasm, an image
/// volume shows them all.
#[test]
fn the_filter_is_where_its_users_look() {
    let images = clones()[0].archive("app-health-filter").images();
    for (image, architecture) in images.iter().zip(["amd64", "arm64"]) {
        assert_eq!(image.architecture, architecture);
        let plugin = image.files.path().join("plugin.wasm");
        assert!(fs::symlink_metadata(&plugin).expect("plugin.wasm").is_file());
        let plugin = fs::read(plugin).expect("plugin.wasm");
        assert!(plugin.starts_with(b"\0asm"));
        let mounted = image.files.path().join("app_health_filter.wasm");
        assert_eq!(fs::read(mounted).expect("app_health_filter.wasm"), plugin);
    }
    let istio = fs::read_to_string(root().join("envoy-config/istio/envoyfilter.yaml")).expect("it");
    assert!(istio.contains("filename: /var/lib/app-health/app_health_filter.wasm}"));
}

/// What would make the digests those of a machine.
#[test]
fn no_path_of_this_machine_is_in_what_is_built() {
    let made = &clones()[0];
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME")).expect("a home");
    let folder = made.folder.to_str().expect("UTF-8");
    for name in IMAGES {
        for image in made.archive(name).images() {
            for file in fs::read_dir(image.files.path()).expect("files") {
                let file = fs::read(file.expect("a file").path()).expect("its bytes");
                for path in [&home[..], folder] {
                    let found = file.windows(path.len()).any(|part| part == path.as_bytes());
                    assert!(!found, "{path} in {name}");
                }
            }
        }
    }
}

#[test]
fn a_wrong_argument_is_named() {
    for (arguments, answer) in [
        (&["--bogus"][..], "unknown argument --bogus (see --help)"),
        (&["--out"], "--out: expected a value after it (see --help)"),
        (&["--tag", "a/b"], "--tag: a/b is no tag"),
        (&["--registry", "Upper"], "--registry: Upper is no name of a registry"),
        (&["--with", "kaniko", "--load"], "--with: kaniko is none of podman, buildah, docker"),
        (&["--with", "docker"], "--with: needs --load or --push"),
        (&["--load", "--push"], "--load or --push, and once"),
        (&["--push"], "--push: needs --registry"),
        (
            &["--push", "--registry", "registry.test"],
            "--push: needs --source, as the remote origin is no https:// address",
        ),
    ] {
        let mut script = command(root().join("scripts/image"));
        // No remote.
        let output = script.args(arguments).env("GIT_DIR", "/no/such").output().expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (output.status.code(), &*stderr),
            (Some(1), &*format!("scripts/image: {answer}\n"))
        );
    }
}
