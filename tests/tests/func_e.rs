//! `func-e run`, step by step as `envoy-config/README.md` has it: the shipped file, unchanged.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::process::Command;

use app_health_tests::app::{Http, Script, V4};
use app_health_tests::envoy::find as envoy;
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

/// The value of the variable in the README.
fn variable(readme: &str) -> &str {
    let (_, rest) = readme.split_once("export ISTIO_KUBE_APP_PROBERS='").expect("the variable");
    rest.split('\'').next().expect("its end")
}

/// The project's folder as a build leaves it, where the steps begin. All that is written besides
/// goes to /run, too.
fn project() -> io::Result<()> {
    empty("/run")?;
    let release = format!("{PROJECT}/target/wasm32-wasip1/release");
    fs::create_dir_all(&release)?;
    fs::create_dir(format!("{PROJECT}/envoy-config"))?;
    fs::copy(wasm::filter(), format!("{release}/app_health_filter.wasm"))?;
    let file = "envoy-config/envoy.yaml";
    fs::copy(program::root().join(file), format!("{PROJECT}/{file}"))?;
    bind(&envoy(), "/run/envoy")?;
    bind(&program::tool("FUNC_E", "func-e"), "/run/func-e")?;
    bind(program::agent(), "/run/app-health-agent")
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
    let machine = Namespace::new(project);
    machine.configure("ip", &["link", "set", "lo", "up"], "");
    let app = SocketAddr::new(V4, 8080);
    let app = machine.run(|| Http::start_at(app, |_| Script::status(200)));
    let mut agent = command(&machine, "/run/app-health-agent");
    let _agent = Process::start("agent", agent.arg("serve"));
    let mut run = command(&machine, "/run/func-e");
    run.args(STEPS[2].split(' ').skip(1)).env("ENVOY_PATH", "/run/envoy");
    run.env("ISTIO_KUBE_APP_PROBERS", variable(&readme)).env("POD_IP", "127.0.0.1");
    let func_e = Process::start("func-e", &mut run);

    let probes = ["/app-health/web/readyz", "/app-health/web/livez"];
    let status = |path: &str| {
        let get = Get::probe((V4, 15020).into(), path);
        machine.run(|| get.status())
    };
    let all_are = |expected: u16| match probes.map(status) {
        all if all == [Ok(expected), Ok(expected)] => Ok(()),
        all => Err(format!("{all:?}")),
    };
    func_e.wait_until(|| all_are(200));
    drop(app);
    assert_eq!(all_are(500), Ok(()));
    func_e.interrupt();
    assert!(status(probes[0]).is_err(), "Envoy has ended with it");
}
