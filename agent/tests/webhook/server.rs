//! The webhook as a child process.

use std::net::{SocketAddr, TcpStream};

use app_health_tests::authority::Authority;
use app_health_tests::kubelet::{pair, until_closed};
use app_health_tests::poll::PATIENCE;
use app_health_tests::process::{self, Process};
use app_health_tests::usage;
use nix::sys::signal::Signal;

pub const BINARY: &str = env!("CARGO_BIN_EXE_app-health-agent");

/// A running webhook; killed when dropped.
pub struct Server {
    process: Process,
    pub address: SocketAddr,
    pub status: SocketAddr,
}

impl Server {
    pub fn start(authority: &Authority) -> Self {
        Self::with(authority, &["--agent-image", "agent:1"])
    }

    /// With these arguments more.
    pub fn with(authority: &Authority, arguments: &[&str]) -> Self {
        let mut command = process::command(BINARY);
        command
            .args(["webhook", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"])
            .arg("--tls-cert")
            .arg(authority.certificate())
            .arg("--tls-key")
            .arg(authority.key())
            .args(arguments);
        let process = Process::start("webhook", &mut command);
        let line = process.line("listening on ");
        let addresses = line.split("listening on ").nth(1).unwrap();
        let addresses = addresses.trim_end_matches(|c: char| !c.is_ascii_digit());
        let addresses = addresses.split('"').next().unwrap();
        let (address, status) = addresses.split_once(", metrics on ").unwrap();
        Self { process, address: address.parse().unwrap(), status: status.parse().unwrap() }
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits for a log line that contains this.
    pub fn wait_for(&self, text: &str) -> String {
        self.process.line(text)
    }

    /// The status and body of a GET on the plain port; `None` where nobody listens any more.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        self.plain(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    }

    pub fn plain(&self, request: &str) -> Option<(u16, String)> {
        let stream = TcpStream::connect(self.status).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let answer = until_closed(stream, request.as_bytes()).ok()?;
        let (status, body) = pair(&answer);
        Some((status, body.to_owned()))
    }

    /// The value of a metric, with its labels as they are written.
    pub fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.get("/metrics").unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The most memory that it has had, in bytes.
    pub fn peak_memory(&self) -> usize {
        let mebibytes = usage::peak_memory(self.process.id()).expect("it runs");
        (mebibytes * 1024.0 * 1024.0) as usize
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for its end: the exit code.
    pub fn wait(&self) -> Option<i32> {
        self.process.wait()
    }
}

impl From<&Server> for SocketAddr {
    fn from(server: &Server) -> Self {
        server.address
    }
}
