//! The agent as a child process, and a client that speaks just enough HTTP.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub const BINARY: &str = env!("CARGO_BIN_EXE_app-health-agent");

/// How long anything may take that should come at once.
pub const SOON: Duration = Duration::from_secs(10);

/// A running agent; killed when dropped.
pub struct Agent {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
}

/// An answer, and how long it took.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
    pub took: Duration,
}

pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Agent {
    /// On a free port of 127.0.0.1.
    pub fn start() -> Self {
        Self::listen("127.0.0.1:0")
    }

    pub fn listen(listen: &str) -> Self {
        Self::spawn(Command::new(BINARY).args(["serve", "--listen", listen]))
    }

    /// With so many descriptors at most.
    pub fn with_descriptors(most: u32) -> Self {
        let script = format!("ulimit -n {most} && exec \"$0\" serve --listen 127.0.0.1:0");
        Self::spawn(Command::new("sh").args(["-c", &script, BINARY]))
    }

    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("start the agent");
        let log = collect(child.stderr.take().expect("stderr is piped"));
        let mut agent = Self { child, address: String::new(), log };
        agent.address = agent.wait_for_line("listening on ");
        agent
    }

    /// Waits for a log line and returns what follows `start` in it.
    pub fn wait_for_line(&mut self, start: &str) -> String {
        let start = format!("app-health-agent: {start}");
        let until = Instant::now() + SOON;
        loop {
            if let Some(rest) = self.log().lines().find_map(|line| line.strip_prefix(&start)) {
                return rest.to_owned();
            }
            assert!(Instant::now() < until, "no line {start:?} in:\n{}", self.log());
            thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// As `--listen` would have it.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn connect(&self) -> Box<dyn Stream> {
        match self.address.strip_prefix("unix:") {
            Some(path) => {
                let stream = UnixStream::connect(path).expect("connect to the agent");
                stream.set_read_timeout(Some(SOON)).unwrap();
                Box::new(stream)
            }
            None => Box::new(self.connect_tcp()),
        }
    }

    pub fn connect_tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("connect to the agent");
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream
    }

    /// The check of a port, as the filter asks for it.
    pub fn check(&self, ip: &str, port: u16, limit_ms: Option<u64>) -> Reply {
        let limit = limit_ms.map(|ms| format!("x-app-health-timeout-ms: {ms}\r\n"));
        self.send(&format!(
            "GET /tcp/{ip}/{port} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n{}\r\n",
            limit.unwrap_or_default()
        ))
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n"))
    }

    /// Sends these bytes, reads until the agent closes.
    pub fn send(&self, request: &str) -> Reply {
        let began = Instant::now();
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("send the request");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("read the answer");
        Reply::parse(&text, began.elapsed())
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the agent runs");
    }

    /// Waits for its end; the exit code (none after a signal).
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("the agent is our child").code()
    }

    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("the agent runs").count()
    }

    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the agent's log:\n{}", self.log());
        }
    }
}

impl Reply {
    pub fn parse(text: &str, took: Duration) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer: {text:?}"));
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned(), took }
    }

    pub fn pair(&self) -> (u16, &str) {
        (self.status, &self.body)
    }

    /// The word for programs.
    pub fn reason(&self) -> &str {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix("x-app-health-reason: ")).expect("a word")
    }
}

/// Runs it to its end, which has to come: exit code and stderr.
pub fn run_to_end(listen: &str) -> (Option<i32>, String) {
    let mut command = Command::new(BINARY);
    let mut child = command
        .args(["serve", "--listen", listen])
        .stderr(Stdio::piped())
        .spawn()
        .expect("start the agent");
    let mut log = child.stderr.take().expect("stderr is piped");
    let until = Instant::now() + SOON;
    while child.try_wait().unwrap().is_none() && Instant::now() < until {
        thread::sleep(Duration::from_millis(2));
    }
    // Of no effect where it has ended.
    child.kill().unwrap();
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    (child.wait().unwrap().code(), text)
}

/// Polls until it holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < until, "not in time: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn collect(stderr: ChildStderr) -> Arc<Mutex<String>> {
    let log = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&log);
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut log = into.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
    log
}
