//! The images that `scripts/image` makes, by buildah.

mod archive;
mod files;
mod script;

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
use serde_json::{Value, json};

use archive::Image;
use script::{ARCHIVES, Archives, REGISTRY, REPOSITORY, Store, run, script};

const IMAGES: [&str; 2] = ["app-health-agent", "app-health-filter"];
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn an_archive_names_its_image_and_the_script_its_digest() {
    for (line, name) in ARCHIVES.stdout.lines().zip(IMAGES) {
        let top = ARCHIVES.open(name).top;
        let full = format!("{REGISTRY}/{name}:{VERSION}");
        assert_eq!(line, format!("{full}@{}", top["digest"].as_str().expect("a digest")));
        assert_eq!(top["annotations"]["org.opencontainers.image.ref.name"], full);
    }
    let rest: Vec<_> = ARCHIVES.stdout.lines().skip(IMAGES.len()).collect();
    assert_eq!(rest, [sum_of_the_filter()]);
}

/// As `sha256sum` prints it. The webhook's image has the same file.
fn sum_of_the_filter() -> String {
    let filter = &ARCHIVES.open("app-health-filter").images()[0];
    let agent = &ARCHIVES.open("app-health-agent").images()[0];
    let sum = |image: &Image| {
        let folder = image.files.path();
        let file = ["plugin.wasm", "app_health_filter.wasm"].map(|name| folder.join(name));
        let file = file.iter().find(|file| file.is_file()).expect("the .wasm");
        let line = run(Command::new("sha256sum").arg(file));
        line.split(' ').next().expect("a sum").to_owned()
    };
    assert_eq!(sum(agent), sum(filter));
    format!("{}  app_health_filter.wasm", sum(filter))
}

#[test]
fn source_version_licence_and_commit_are_in_the_labels() {
    for name in IMAGES {
        for image in ARCHIVES.open(name).images() {
            for (key, value) in [
                ("title", name),
                ("source", "https://example.org/app-health"),
                ("version", VERSION),
                ("licenses", env!("CARGO_PKG_LICENSE")),
                ("revision", &REPOSITORY.head),
            ] {
                let label = &image.config["config"]["Labels"][label(key)];
                assert_eq!(label, value, "{key} of {name}");
            }
            assert_eq!(image.config["created"], "2023-11-14T22:13:20Z");
        }
    }
}

fn label(key: &str) -> String {
    format!("org.opencontainers.image.{key}")
}

#[test]
fn options_take_the_place_of_what_git_and_cargo_say() {
    let made = Archives::make(
        script()
            .args(["--platform", "linux/arm64", "--tag", "next"])
            .args(["--source", "https://example.org/fork"])
            .env("SOURCE_DATE_EPOCH", "1600000000"),
    );
    for (line, name) in made.stdout.lines().zip(IMAGES) {
        assert!(line.starts_with(&format!("{REGISTRY}/{name}:next@sha256:")), "{line}");
        let [image] = &made.open(name).images()[..] else { panic!("not one image: {line}") };
        assert_eq!(image.architecture, "arm64");
        assert_eq!(image.config["created"], "2020-09-13T12:26:40Z");
        assert_eq!(image.config["config"]["Labels"][label("source")], "https://example.org/fork");
    }
}

#[test]
fn load_leaves_the_machines_own_image_in_its_store() {
    let store = Store::new();
    let stdout = run(script().arg("--load").env("CONTAINERS_STORAGE_CONF", store.settings()));
    let names = IMAGES.map(|name| format!("{REGISTRY}/{name}:{VERSION}"));
    let expected = names.iter().cloned().chain([sum_of_the_filter()]).collect::<Vec<_>>();
    assert_eq!(stdout.lines().collect::<Vec<_>>(), expected);
    for name in names {
        let mut inspect = Command::new("buildah");
        inspect.args(["inspect", "--type", "image", &name]);
        let text = run(inspect.env("CONTAINERS_STORAGE_CONF", store.settings()));
        let image: Value = serde_json::from_str(&text).expect("JSON");
        let architecture = image["OCIv1"]["architecture"].as_str().expect("a name");
        assert_eq!(cpu(architecture), std::env::consts::ARCH);
    }
}

#[test]
fn a_push_that_fails_is_said() {
    let nobody = Closed::start(V4).addr().to_string();
    let output = script()
        .args(["--push", "--registry", &nobody, "--platform", "linux/arm64"])
        .output()
        .expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let message =
        format!("scripts/image: buildah has not pushed {nobody}/app-health-agent:{VERSION}\n");
    assert!(stderr.ends_with(&message), "{stderr}");
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b""[..]));
}

#[test]
fn the_agent_runs_on_both_architectures() {
    let images = ARCHIVES.open("app-health-agent").images();
    assert_eq!(
        images.iter().map(|image| &image.architecture[..]).collect::<Vec<_>>(),
        ["amd64", "arm64"]
    );
    for image in images {
        let config = &image.config["config"];
        assert_eq!(config["Entrypoint"], json!(["/app-health-agent"]));
        assert_eq!(config["User"], "15023:15023");
        assert!(image.list.starts_with("-rwxr-xr-x 0/0 "), "{}", image.list);
        let agent = " 2023-11-14 22:13:20 app-health-agent -rw-r--r-- 0/0 ";
        assert!(image.list.contains(agent), "{}", image.list);
        let wasm = " 2023-11-14 22:13:20 app_health_filter.wasm";
        assert!(image.list.ends_with(wasm), "{}", image.list);
        assert_eq!(version_of(&image), format!("app-health-agent {VERSION}\n"));
        let program = image.files.path().join("app-health-agent");
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

/// What it says its version is: with nothing but the image around it, where that is this machine's.
fn version_of(image: &Image) -> String {
    let folder = image.files.path();
    if cpu(&image.architecture) != std::env::consts::ARCH {
        let program = folder.join("app-health-agent");
        return run(on(&image.architecture, &program).arg("--version"));
    }
    let mut alone = Command::new("unshare");
    alone.arg("--map-root-user").arg("--root").arg(folder);
    run(alone.args(["/app-health-agent", "--version"]))
}

/// The program by qemu-user where the architecture is not this machine's.
fn on(architecture: &str, program: &Path) -> Command {
    let cpu = cpu(architecture);
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

/// The kernel's name of an image's architecture.
fn cpu(architecture: &str) -> &str {
    match architecture {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        _ => panic!("{architecture}"),
    }
}

/// Istio and Envoy Gateway take the first file of the last layer whose name is plugin.wasm, an image
/// volume shows them all.
#[test]
fn the_filter_is_where_its_users_look() {
    let images = ARCHIVES.open("app-health-filter").images();
    for (image, architecture) in images.iter().zip(["amd64", "arm64"]) {
        assert_eq!(image.architecture, architecture);
        let plugin = image.files.path().join("plugin.wasm");
        assert!(fs::symlink_metadata(&plugin).expect("plugin.wasm").is_file());
        let plugin = fs::read(plugin).expect("plugin.wasm");
        assert!(plugin.starts_with(b"\0asm"));
        let mounted = image.files.path().join("app_health_filter.wasm");
        assert_eq!(fs::read(mounted).expect("app_health_filter.wasm"), plugin);
    }
    let volume = root().join("envoy-config/istio/volume/kustomization.yaml");
    let volume = fs::read_to_string(volume).expect("it");
    assert!(volume.contains("filename: /var/lib/app-health/app_health_filter.wasm}"));
}

#[test]
fn no_path_of_this_machine_is_in_what_is_built() {
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME")).expect("a home");
    let project = root().to_str().expect("UTF-8");
    for name in IMAGES {
        for image in ARCHIVES.open(name).images() {
            for file in fs::read_dir(image.files.path()).expect("files") {
                let file = fs::read(file.expect("a file").path()).expect("its bytes");
                for path in [&home[..], project] {
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
        (
            &["--platform", "linux/s390x"],
            "--platform: linux/s390x is neither linux/amd64 nor linux/arm64",
        ),
        (
            &["--load", "--platform", "linux/amd64,linux/arm64"],
            "--load: needs --platform with one of linux/amd64, linux/arm64",
        ),
        (&["--out", "/no/such", "--load"], "--out: not with --load"),
        (
            &["--with", "docker"],
            "no docker here, or no daemon or buildx for docker; on Debian: apt-get install buildah",
        ),
        (&["--load", "--push"], "--load or --push, and once"),
        (&["--push"], "--push: needs --registry"),
        (
            &["--push", "--registry", "registry.test"],
            "--push: needs --source, as the remote origin is no https:// address",
        ),
    ] {
        let mut script = command(root().join("scripts/image"));
        // No remote, and no daemon.
        script.env("GIT_DIR", "/no/such").env("DOCKER_HOST", "unix:///no/such");
        let output = script.args(arguments).output().expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (output.status.code(), &*stderr),
            (Some(1), &*format!("scripts/image: {answer}\n"))
        );
    }
}
