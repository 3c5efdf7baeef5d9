//! The pod, rewritten, and run as its manifest says, in a network and with volumes of its own.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use app_health_tests::app::{Http, Script, V4};
use app_health_tests::envoy::find as envoy;
use app_health_tests::kubelet::{Get, Verdict, probes};
use app_health_tests::mesh::{Namespace, bind, empty};
use app_health_tests::process::{self, Process};
use app_health_tests::{manifest, program, wasm};
use serde_json::Value;

use super::super::built::only;
use super::{PLACEHOLDER, built, container, kustomization, list, readme, shipped, spec, string};

/// Where the containers find their files, below /run.
const ROOT: &str = "/run/root";
const WORKING_DIR: &CStr = c"/run/root/app-health";

/// A file in a container: its path, and what is in it.
type Mounted = (PathBuf, Vec<u8>);

/// The files that a container finds in its volumes.
fn mounted(objects: &[Value], pod: &Value, container: &Value) -> Vec<Mounted> {
    let mut files = Vec::new();
    for mount in container["volumeMounts"].as_array().into_iter().flatten() {
        let is_it = |volume: &&Value| volume["name"] == mount["name"];
        let volume = list(&pod["volumes"]).iter().find(is_it).expect("its volume");
        let is_map = |object: &&Value| object["metadata"]["name"] == volume["configMap"]["name"];
        let map = objects.iter().find(is_map).expect("its ConfigMap");
        for (name, content) in map["data"].as_object().expect("data") {
            let content = match string(content) {
                PLACEHOLDER => fs::read(wasm::filter()).expect("the .wasm"),
                content => content.as_bytes().to_vec(),
            };
            let folder = Path::new(ROOT).join(string(&mount["mountPath"]).trim_start_matches('/'));
            files.push((folder.join(name), content));
        }
    }
    files
}

/// Volumes and programs, below /run, of which they may be part.
fn mounts(files: &[Mounted]) -> io::Result<()> {
    let programs = [envoy(), program::agent().to_owned()];
    let [envoy, agent] = programs.map(|program| File::open(program).expect("it"));
    empty("/run")?;
    for (path, content) in files {
        fs::create_dir_all(path.parent().expect("a folder"))?;
        fs::write(path, content)?;
    }
    bind(&envoy, "/run/envoy")?;
    bind(&agent, "/run/app-health-agent")
}

/// The kubelet's part: starts a container in the pod as its manifest says.
fn start(machine: &Namespace, container: &Value, ip: IpAddr, name: &'static str) -> Process {
    let user = container["securityContext"]["runAsUser"].as_u64().expect("a user");
    let user = u32::try_from(user).expect("a user");
    let words = |field: &str| container[field].as_array().into_iter().flatten().map(string);
    let folder = container["workingDir"].as_str().map_or(c"/", |folder| {
        assert_eq!(Some(format!("{ROOT}{folder}").as_str()), WORKING_DIR.to_str().ok());
        WORKING_DIR
    });
    let mut command: Command = machine.command_in(folder, format!("/run/{name}"), user);
    // The first word of a command is the program; the agent's is in its image.
    assert!([None, Some(name)].contains(&words("command").next()));
    command.args(words("command").skip(1)).args(words("args")).env_clear();
    for variable in container["env"].as_array().into_iter().flatten() {
        let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
            Some(field) => {
                assert_eq!(field, "status.podIP");
                ip.to_string()
            }
            None => string(&variable["value"]).to_owned(),
        };
        command.env(string(&variable["name"]), value);
    }
    Process::start(name, &mut command)
}

/// Its probes fail and pass with the app.
fn probes_follow_the_app(bootstrap: &str, ip: &str) {
    let objects = built(&kustomization(), bootstrap);
    let deployment = only(&objects, "Deployment").to_string();
    let rewritten = manifest::rewritten(&deployment, &["--sidecar", "envoy"]);
    let pod = spec(&rewritten);
    let probes = probes(&rewritten["spec"]["template"]);
    assert_eq!(probes.iter().map(|probe| probe.port).collect::<Vec<_>>(), [15020, 15020]);

    let containers = ["envoy", "app-health-agent"].map(|name| container(pod, name));
    let files = mounted(&objects, pod, containers[0]);
    let machine = Namespace::new(|| mounts(&files));
    machine.configure("ip", &["link", "set", "lo", "up"], "");
    machine.configure("ip", &["addr", "add", ip, "dev", "lo"], "");
    let ip: IpAddr = ip.parse().expect("an address");
    let sidecar = start(&machine, containers[0], ip, "envoy");
    let _agent = start(&machine, containers[1], ip, "app-health-agent");

    let started = &containers[0]["startupProbe"]["httpGet"];
    let port = started["port"].as_u64().and_then(|port| port.try_into().ok()).expect("a port");
    let started = Get::probe(SocketAddr::new(ip, port), string(&started["path"]));
    sidecar.wait_until(|| match machine.run(|| started.status()) {
        Ok(200) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let all_are = |expected: Verdict| {
        let verdicts: Vec<_> = probes.iter().map(|probe| machine.run(|| probe.ask(ip))).collect();
        let all = verdicts.iter().all(|verdict| *verdict == expected);
        if all { Ok(()) } else { Err(format!("{verdicts:?}")) }
    };
    sidecar.wait_until(|| all_are(Verdict::Failure));
    let app = SocketAddr::new(ip, 8080);
    let app = machine.run(|| Http::start_at(app, |_| Script::status(200)));
    sidecar.wait_until(|| all_are(Verdict::Success));
    // Through loopback, as `kubectl port-forward` comes, the app is asked at the pod's address all the same.
    let forwarded = || machine.run(|| probes[0].ask(V4));
    sidecar.wait_until(|| match forwarded() {
        Verdict::Success => Ok(()),
        other => Err(format!("{other:?}")),
    });
    drop(app);
    sidecar.wait_until(|| all_are(Verdict::Failure));
}

#[test]
fn probes_follow_the_app_on_ipv4() {
    probes_follow_the_app(&shipped(), "10.244.0.9");
}

/// By the README's command, without `::6`.
#[test]
fn probes_follow_the_app_on_ipv6() {
    let readme = readme();
    let (_, rest) = readme.split_once("\nsed -i '").expect("the command");
    let (expression, _) = rest.split_once("' try/envoy.yaml\n").expect("its end");
    let mut sed = process::command("sed");
    let bootstrap = process::run(sed.arg(expression), shipped()).succeeded();
    probes_follow_the_app(&bootstrap, "fd44::9");
}
