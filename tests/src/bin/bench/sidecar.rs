//! An Envoy as it is measured: one worker, nothing logged.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use app_health_tests::app::V4;
use app_health_tests::entries::Entries;
use app_health_tests::envoy::{self, Ports};
use app_health_tests::kubelet::Get;
use app_health_tests::process::{self, Process};
use app_health_tests::{net, wasm};
use tempfile::TempDir;

use crate::bootstrap::{self, DirectPorts};

/// Under callgrind it takes a minute.
const PATIENCE: Duration = Duration::from_secs(200);

/// What stands in the listener on the status port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Only the router.
    None,
    /// One that does nothing.
    Empty,
    /// Ours.
    Ours,
}

/// An Envoy that is ready. Ends when it is dropped.
pub struct Sidecar {
    process: Process,
    ports: Ports,
    direct: Option<DirectPorts>,
    _dir: TempDir,
}

impl Sidecar {
    /// With the shipped configuration, or without its filter.
    pub fn start(filter: Filter, entries: Entries) -> Self {
        Self::start_by(process::command(envoy::find()), filter, entries)
    }

    /// The same by another command than Envoy's own.
    pub fn start_by(command: Command, filter: Filter, entries: Entries) -> Self {
        let ports = ports();
        let bootstrap = match filter {
            Filter::None => bootstrap::without_filter(&envoy::shipped(&ports, wasm::filter())),
            Filter::Empty => envoy::shipped(&ports, wasm::empty()),
            Filter::Ours => envoy::shipped(&ports, wasm::filter()),
        };
        Self::run(command, ports, None, &bootstrap, entries)
    }

    /// With the shipped configuration and, in the same process, direct routes to the app.
    pub fn with_direct_routes(app: SocketAddr, entries: Entries) -> Self {
        Self::with_direct_routes_by(process::command(envoy::find()), app, entries)
    }

    /// The same by another command than Envoy's own.
    pub fn with_direct_routes_by(command: Command, app: SocketAddr, entries: Entries) -> Self {
        let ports = ports();
        let direct = DirectPorts { direct: net::free_port(), empty: net::free_port() };
        let shipped = envoy::shipped(&ports, wasm::filter());
        let (status, empty) = (ports.status, wasm::empty());
        let bootstrap = bootstrap::with_direct_routes(&shipped, status, &direct, empty, app);
        Self::run(command, ports, Some(direct), &bootstrap, entries)
    }

    fn run(
        mut command: Command,
        ports: Ports,
        direct: Option<DirectPorts>,
        bootstrap: &str,
        entries: Entries,
    ) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("envoy.yaml");
        fs::write(&file, bootstrap).expect("the file is written");
        command.arg("--config-path").arg(file);
        command.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]);
        command.env_remove("POD_IP").env_remove("INSTANCE_IP");
        command.env("ISTIO_KUBE_APP_PROBERS", OsString::from(entries));
        let process = Process::start("envoy", &mut command);
        let sidecar = Self { process, ports, direct, _dir: dir };
        sidecar.process.wait_within(PATIENCE, || sidecar.ready());
        sidecar
    }

    fn ready(&self) -> Result<(), String> {
        let status = SocketAddr::new(V4, self.ports.status);
        let answer = Get::probe(status, "/healthz/ready").timeout(Duration::from_secs(5)).send();
        match answer.map_err(|error| error.to_string())?.status {
            200 => Ok(()),
            other => Err(format!("/healthz/ready is {other}")),
        }
    }

    /// Envoy's process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where the agent is asked.
    pub fn agent(&self) -> u16 {
        self.ports.agent
    }

    /// A path on the status port.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports.status)
    }

    /// A path of the app, past the filter: without any, and through one that does nothing.
    ///
    /// # Panics
    /// Where there is no direct route.
    pub fn direct_urls(&self, path: &str) -> [String; 2] {
        let ports = self.direct.as_ref().expect("an Envoy with direct routes");
        [ports.direct, ports.empty].map(|port| format!("http://127.0.0.1:{port}{path}"))
    }
}

fn ports() -> Ports {
    Ports { status: net::free_port(), admin: net::free_port(), agent: net::free_port() }
}
