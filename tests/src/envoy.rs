//! The real Envoy with the shipped configuration and the real filter, and the agent beside it.

mod binary;
mod config;

pub use binary::{dials, find};
pub use config::{Ports, shipped};

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use crate::app::V4;
use crate::kubelet::{Answer, Get};
use crate::poll::{PATIENCE, until_ok};
use crate::process::{self, Process};
use crate::usage::memory;
use crate::{net, program, wasm};

/// How long an answer of the status port is waited for. More than it takes on a busy machine, and
/// less than the 15 s after which Envoy would end a request on its own account.
pub const LIMIT: Duration = Duration::from_secs(12);

/// How an Envoy is to be started.
#[derive(Default)]
pub struct Setup {
    probers: Option<OsString>,
    pod_ip: Option<IpAddr>,
    agent: Agent,
    binary: Option<PathBuf>,
    concurrency: Option<u32>,
    edit: Option<Edit>,
    variables: Vec<(OsString, OsString)>,
}

type Edit = Box<dyn Fn(&str) -> String>;

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Agent {
    #[default]
    Beside,
    Absent,
}

impl Setup {
    /// The value of the variable; unset where this is not called.
    pub fn probers(mut self, probers: impl Into<OsString>) -> Self {
        self.probers = Some(probers.into());
        self
    }

    /// `POD_IP`; unset where this is not called.
    pub fn pod_ip(mut self, ip: IpAddr) -> Self {
        self.pod_ip = Some(ip);
        self
    }

    /// What a deployment would change in the configuration.
    pub fn edited(mut self, edit: impl Fn(&str) -> String + 'static) -> Self {
        self.edit = Some(Box::new(edit));
        self
    }

    /// Nothing listens where the agent should.
    pub fn without_agent(mut self) -> Self {
        self.agent = Agent::Absent;
        self
    }

    /// This Envoy, rather than the one that [`find`] finds.
    pub fn binary(mut self, envoy: impl Into<PathBuf>) -> Self {
        self.binary = Some(envoy.into());
        self
    }

    /// More of the environment, Envoy's and the agent's.
    pub fn variables(
        mut self,
        variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Self {
        let all = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.variables.extend(all);
        self
    }

    /// So many workers; one where this is not called.
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = Some(workers);
        self
    }

    /// Starts the agent and Envoy, and waits until both are ready.
    ///
    /// # Panics
    /// Where one of them does not become ready, with the last error and the log.
    pub fn start(self) -> Envoy {
        let ports =
            Ports { status: net::free_port(), admin: net::free_port(), agent: net::free_port() };
        self.start_at(ports)
    }

    /// As [`Setup::start`], with the status port chosen by the caller.
    pub fn start_on(self, status: u16) -> Envoy {
        self.start_at(Ports { status, admin: net::free_port(), agent: net::free_port() })
    }

    fn start_at(self, ports: Ports) -> Envoy {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let agent =
            (self.agent == Agent::Beside).then(|| start_agent(ports.agent, &self.variables));
        let file = dir.path().join("envoy.yaml");
        let shipped = config::shipped(&ports, wasm::filter());
        let config = self.edit.map_or(shipped.clone(), |edit| edit(&shipped));
        fs::write(&file, config).expect("the file is written");
        let mut command = process::command(self.binary.unwrap_or_else(find));
        command.arg("--config-path").arg(file);
        // No shared memory and no domain sockets that could outlive it.
        command.arg("--disable-hot-restart");
        command.args(["--concurrency", &self.concurrency.unwrap_or(1).to_string()]);
        command.args(["--log-level", "warning", "--component-log-level", "wasm:debug"]);
        command.envs(self.variables);
        set(&mut command, "ISTIO_KUBE_APP_PROBERS", self.probers);
        set(&mut command, "POD_IP", self.pod_ip.map(|ip| ip.to_string().into()));
        set(&mut command, "INSTANCE_IP", None);
        let process = Process::start("envoy", &mut command);
        let envoy = Envoy { ports, process, agent, _dir: dir };
        envoy.process.wait_until(|| envoy.live());
        envoy
    }
}

fn set(command: &mut std::process::Command, name: &str, value: Option<OsString>) {
    match value {
        Some(value) => command.env(name, value),
        None => command.env_remove(name),
    };
}

fn start_agent(port: u16, variables: &[(OsString, OsString)]) -> Process {
    let mut command = process::command(program::agent());
    command.envs(variables.iter().cloned());
    command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]);
    let agent = Process::start("agent", &mut command);
    // Any answer will do.
    let answers = || Get::probe((V4, port).into(), "/").send().map(drop);
    agent.wait_until(|| answers().map_err(|error| error.to_string()));
    agent
}

/// An Envoy that is ready, with its agent. Both end when it is dropped; when that is because a
/// test failed, their logs are printed.
pub struct Envoy {
    ports: Ports,
    process: Process,
    agent: Option<Process>,
    _dir: TempDir,
}

impl Envoy {
    /// The status port on 127.0.0.1.
    pub fn addr(&self) -> SocketAddr {
        self.addr_on(V4)
    }

    /// The status port on another address of this machine.
    pub fn addr_on(&self, ip: IpAddr) -> SocketAddr {
        SocketAddr::new(ip, self.ports.status)
    }

    /// Envoy's admin.
    pub fn admin(&self) -> SocketAddr {
        SocketAddr::new(V4, self.ports.admin)
    }

    /// Where the agent listens.
    pub fn agent_addr(&self) -> SocketAddr {
        SocketAddr::new(V4, self.ports.agent)
    }

    /// Envoy's process and, where there is one, the agent's.
    pub fn pids(&self) -> Vec<u32> {
        std::iter::once(&self.process).chain(&self.agent).map(Process::id).collect()
    }

    /// A request to the status port as the kubelet's probers send it, but for [`LIMIT`]: what comes
    /// too late is to be seen.
    pub fn get(&self, path: impl Into<Vec<u8>>) -> Get {
        Get::probe(self.addr(), path).timeout(LIMIT)
    }

    /// A request to the status port as the kubelet's lifecycle handlers send it.
    pub fn hook(&self, path: impl Into<Vec<u8>>) -> Get {
        Get::hook(self.addr(), path)
    }

    /// Ends the agent.
    pub fn stop_agent(&mut self) {
        self.agent = None;
    }

    /// Starts an agent, where there is none.
    pub fn start_agent(&mut self) {
        let port = self.ports.agent;
        self.agent.get_or_insert_with(|| start_agent(port, &[]));
    }

    /// What the admin answers, whole.
    pub fn ask_admin(&self, path: &str) -> io::Result<Answer> {
        Get::probe(self.admin(), path).timeout(Duration::from_secs(5)).whole_body().send()
    }

    /// The value of a counter or gauge; 0 where it does not exist yet.
    pub fn stat(&self, name: &str) -> u64 {
        let answer = self.ask_admin(&format!("/stats?filter=^{name}$")).expect("the admin answers");
        let text = answer.text();
        text.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// Envoy itself.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The agent beside it.
    ///
    /// # Panics
    /// Where there is none.
    pub fn agent(&self) -> &Process {
        self.agent.as_ref().expect("an agent")
    }

    /// Waits until it has no connection to an app left, of whatever cluster that leads to one.
    ///
    /// # Panics
    /// Where it keeps one.
    pub fn wait_until_no_app_is_connected(&self) {
        until_ok(PATIENCE, || {
            let stats = self.ask_admin("/stats?filter=^cluster.app_.*upstream_cx_active$");
            let text = stats.expect("the admin answers").text();
            let is_left = |line: &&str| !line.ends_with(": 0") && !line.contains("app_health");
            let left: Vec<&str> = text.lines().filter(is_left).collect();
            if left.is_empty() { Ok(()) } else { Err(format!("still open: {left:?}")) }
        });
    }

    /// Its memory now, VmRSS, in MiB.
    pub fn memory(&self) -> f64 {
        memory(self.process.id())
    }

    /// All that Envoy has logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits for a line of Envoy's log that contains this.
    pub fn line(&self, text: &str) -> String {
        self.process.line(text)
    }

    fn live(&self) -> Result<(), String> {
        let answer = self.ask_admin("/ready").map_err(|error| format!("admin: {error}"))?;
        match answer.status {
            200 => Ok(()),
            status => Err(format!("admin: /ready is {status}, {}", answer.text())),
        }
    }
}
