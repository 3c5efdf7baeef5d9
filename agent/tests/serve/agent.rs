//! The agent as a child process, and what it is asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use app_health_tests::kubelet::{Answer, until_closed};
use app_health_tests::poll::PATIENCE;
use app_health_tests::process::{self, Process};
use app_health_tests::usage;
use nix::sys::signal::Signal;

pub const BINARY: &str = env!("CARGO_BIN_EXE_app-health-agent");

/// More milliseconds than a check takes that has nothing to wait for, however busy the machine is.
pub const PATIENT: u64 = 60_000;

/// A running agent; killed when dropped.
pub struct Agent {
    process: Process,
    address: String,
}

pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Agent {
    /// On a free port of 127.0.0.1.
    pub fn start() -> Self {
        Self::listen("127.0.0.1:0")
    }

    pub fn listen(listen: &str) -> Self {
        Self::spawn(&mut serve(listen))
    }

    /// With so many descriptors at most.
    pub fn with_descriptors(most: u32) -> Self {
        let script = format!("ulimit -n {most} && exec \"$0\" serve --listen 127.0.0.1:0");
        Self::spawn(process::command("sh").args(["-c", &script, BINARY]))
    }

    fn spawn(command: &mut Command) -> Self {
        let process = Process::start("agent", command);
        let line = process.line("app-health-agent: listening on ");
        let address = line.rsplit(' ').next().expect("an address").to_owned();
        Self { process, address }
    }

    /// Waits for a log line that begins so.
    pub fn wait_for_line(&self, start: &str) {
        self.process.line(&format!("app-health-agent: {start}"));
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// As `--listen` would have it.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn connect(&self) -> Box<dyn Stream> {
        match self.address.strip_prefix("unix:") {
            Some(path) => {
                let stream = UnixStream::connect(path).expect("connect to the agent");
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                Box::new(stream)
            }
            None => Box::new(self.connect_tcp()),
        }
    }

    pub fn connect_tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("connect to the agent");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The check of a port, as the filter asks for it.
    pub fn check(&self, port: SocketAddr, limit_ms: Option<u64>) -> Answer {
        self.send(&request(port, limit_ms, "Connection: close\r\n"))
    }

    /// Asks for a check on a connection that stays open.
    pub fn ask(&self, port: SocketAddr, limit_ms: Option<u64>) -> TcpStream {
        let mut stream = self.connect_tcp();
        stream.write_all(request(port, limit_ms, "").as_bytes()).expect("send the request");
        stream
    }

    /// Asks 16 times at once for a check of this port, again and again on the same connections; each
    /// time it has to accept.
    pub fn crowd(&self, port: SocketAddr, times: usize) {
        let request = request(port, None, "");
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    let mut stream = self.connect();
                    for n in 0..times {
                        stream.write_all(request.as_bytes()).expect("send the request");
                        let answer = next_answer(&mut stream);
                        assert!(answer.starts_with("HTTP/1.1 200"), "{n}: {answer}");
                    }
                });
            }
        });
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n"))
    }

    /// Sends these bytes, reads until the agent closes.
    pub fn send(&self, request: &str) -> Answer {
        until_closed(self.connect(), request.as_bytes()).expect("an answer")
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for its end; the exit code (none after a signal).
    pub fn wait(&self) -> Option<i32> {
        self.process.wait()
    }

    pub fn descriptors(&self) -> usize {
        usage::descriptors(self.process.id())
    }

    /// In MiB.
    pub fn memory(&self) -> f64 {
        usage::memory(self.process.id())
    }
}

/// The filter's request, with more headers.
pub fn request(port: SocketAddr, limit_ms: Option<u64>, more: &str) -> String {
    let limit = limit_ms.map(|ms| format!("x-app-health-timeout-ms: {ms}\r\n"));
    let limit = limit.unwrap_or_default();
    let (ip, port) = (port.ip(), port.port());
    format!("GET /tcp/{ip}/{port} HTTP/1.1\r\nHost: agent\r\n{more}{limit}\r\n")
}

/// One answer, of a connection that stays open.
pub fn next_answer(stream: &mut impl Read) -> String {
    let mut buffer = [0; 1024];
    let length = stream.read(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// The word for programs.
pub fn reason(answer: &Answer) -> &str {
    answer.header("x-app-health-reason").expect("a word")
}

/// Runs it to its end, which has to come: exit code and stderr.
pub fn run_to_end(listen: &str) -> (Option<i32>, String) {
    let process = Process::start("agent", &mut serve(listen));
    // It would not end by itself if it listened.
    (process.end_within(Duration::from_secs(10)).code(), process.log())
}

fn serve(listen: &str) -> Command {
    let mut command = process::command(BINARY);
    command.args(["serve", "--listen", listen]);
    command
}
