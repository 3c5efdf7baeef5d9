//! The webhook as a child process.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::authority::Authority;

pub const BINARY: &str = env!("CARGO_BIN_EXE_app-health-agent");

/// How long anything may take that should come at once.
pub const SOON: Duration = Duration::from_secs(10);

/// A running webhook; killed when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub status: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    pub fn start(authority: &Authority) -> Self {
        Self::with(authority, &["--agent-image", "agent:1"])
    }

    /// With these arguments more.
    pub fn with(authority: &Authority, arguments: &[&str]) -> Self {
        let mut child = Command::new(BINARY)
            .args(["webhook", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"])
            .arg("--tls-cert")
            .arg(authority.certificate())
            .arg("--tls-key")
            .arg(authority.key())
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                into.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { child, address: unknown, status: unknown, log };
        let line = server.wait_for("listening on ");
        let addresses = line.split("listening on ").nth(1).unwrap();
        let addresses = addresses.trim_end_matches(|c: char| !c.is_ascii_digit());
        let addresses = addresses.split('"').next().unwrap();
        let (address, status) = addresses.split_once(", metrics on ").unwrap();
        server.address = address.parse().unwrap();
        server.status = status.parse().unwrap();
        server
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a log line that contains this.
    pub fn wait_for(&self, text: &str) -> String {
        let found = || self.log().lines().find(|line| line.contains(text)).map(str::to_owned);
        eventually(&format!("a log line with {text:?}"), || found().is_some());
        found().unwrap()
    }

    /// The status and body of a GET on the plain port; `None` where nobody listens any more.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        self.plain(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    }

    pub fn plain(&self, request: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.status).ok()?;
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(request.as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some((head.get(9..12)?.parse().ok()?, body.to_owned()))
    }

    /// The value of a metric, with its labels as they are written.
    pub fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.get("/metrics").unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    }

    /// The most memory that it has had, in bytes.
    pub fn peak_memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
        let kibibytes = line.trim().strip_suffix(" kB").expect("in kB");
        kibibytes.parse::<usize>().unwrap() << 10
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits for its end: the exit code.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the webhook's log:\n{}", self.log());
        }
    }
}

/// Polls until it holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < until, "not in time: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
