//! `func-e run`, step by step as `envoy-config/README.md` has it: the shipped file, unchanged.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::process::Command;

use app_health_tests::app::{Http, Script, V4};
use app_health_tests::envoy::{LIMIT, find as envoy};
use app_health_tests::kubelet::Get;
use app_health_tests::mesh::{Namespace, bind, empty};
use app_health_tests::process::Process;
use app_health_tests::{program, wasm};

const PROJECT: &str = "/run/project";
/// Where the steps read so.
const STEPS: [&str; 3] = [
    "target/release/app-health-agent serve &",
    "python3 -m http.server --bind 127.0.0.1 8080 &",
    "func-e run -c envoy-config/envoy.yaml",
];

/// What follows this in each line of the README that begins so.
fn after<'a>(readme: &'a str, start: &str) -> Vec<&'a str> {
    readme.lines().filter_map(|line| line.trim_start().strip_prefix(start)).collect()
}

/// The variables that the README sets for Envoy, with their values.
fn variables(readme: &str) -> Vec<(&str, &str)> {
    let all = after(readme, "export ").into_iter().filter(|line| !line.starts_with("PATH="));
    all.map(|line| line.split_once('=').expect("a value"))
        .map(|(name, value)| (name, value.trim_matches('\'')))
        .collect()
}

/// The project's folder as a build leaves it, where the steps begin. All that is written besides
/// goes to /run, too.
fn project() -> io::Result<()> {
    // They may be in /run.
    let programs = [envoy(), program::tool("FUNC_E", "func-e"), program::agent().to_owned()];
    let [envoy, func_e, agent] = programs.map(|program| File::open(program).expect("it"));
    let config = "envoy-config/envoy.yaml";
    let (wasm, yaml) = (fs::read(wasm::filter())?, fs::read(program::root().join(config))?);
    empty("/run")?;
    let release = format!("{PROJECT}/target/wasm32-unknown-unknown/release");
    fs::create_dir_all(&release)?;
    fs::create_dir(format!("{PROJECT}/envoy-config"))?;
    fs::write(format!("{release}/app_health_filter.wasm"), wasm)?;
    fs::write(format!("{PROJECT}/{config}"), yaml)?;
    bind(&envoy, "/run/envoy")?;
    bind(&func_e, "/run/func-e")?;
    bind(&agent, "/run/app-health-agent")
}

fn command(machine: &Namespace, file: &str) -> Command {
    let mut command = machine.command_in(c"/run/project", file, 0);
    command.env("HOME", "/run/home").env("FUNC_E_RUNTIME_DIR", "/run/tmp");
    command
}

#[test]
fn the_steps_of_the_readme() {
    let readme = fs::read_to_string(program::root().join("envoy-config/README.md")).expect("it");
    for step in STEPS {
        assert!(readme.contains(step), "{step}");
    }
    let script = fs::read_to_string(program::root().join("scripts/func-e")).expect("it");
    let [module] = after(&readme, "go install ")[..] else { panic!("one module") };
    assert!(script.contains(&format!(" {module}\n")), "scripts/func-e installs another: {module}");
    let machine = Namespace::new(project);
    machine.configure("ip", &["link", "set", "lo", "up"], "");
    let app = SocketAddr::new(V4, 8080);
    let app = machine.run(|| Http::start_at(app, |_| Script::status(200)));
    let mut agent = command(&machine, "/run/app-health-agent");
    let _agent = Process::start("agent", agent.arg("serve"));
    let mut run = command(&machine, "/run/func-e");
    run.args(STEPS[2].split(' ').skip(1)).env("ENVOY_PATH", "/run/envoy");
    run.envs(variables(&readme));
    let func_e = Process::start("func-e", &mut run);

    let probes = after(&readme, "curl -i http://127.0.0.1:15020");
    let probes: [&str; 2] = probes.try_into().expect("two");
    let status = |path: &str| {
        let get = Get::probe((V4, 15020).into(), path).timeout(LIMIT);
        machine.run(|| get.status())
    };
    let all_are = |expected: u16| match probes.map(status) {
        all if all == [Ok(expected), Ok(expected)] => Ok(()),
        all => Err(format!("{all:?}")),
    };
    func_e.wait_until(|| all_are(200));
    drop(app);
    func_e.wait_until(|| all_are(500));
    func_e.interrupt();
    assert!(status(probes[0]).is_err(), "Envoy has ended with it");
}
