//! What the agent is asked, by the real program and over real sockets: any bytes, and requests whose answer a plain
//! model knows.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::thread;

use app_health_tests::poll::PATIENCE;
use app_health_tests::process::{self, Process};
use app_health_tests::program;

use crate::input::Choices;

pub fn target(data: &[u8]) {
    static AGENT: OnceLock<Agent> = OnceLock::new();
    let agent = AGENT.get_or_init(Agent::start);
    agent.takes(data);
    let (request, status) = request(&mut Choices::new(data), agent.open);
    let answer = agent.answer(&request);
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "not {status}: {request:?}: {text}");
    assert!(text.contains("\r\nx-app-health-reason: "), "no reason: {request:?}: {text}");
}

pub fn seeds() -> Vec<Vec<u8>> {
    let seeds = [
        "GET /tcp/127.0.0.1/80 HTTP/1.1\r\nHost: agent\r\nx-app-health-timeout-ms: 950\r\n\r\n",
        "HEAD /tcp/::1/80 HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n",
        "POST /tcp/127.0.0.1/80 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxxGET / HTTP/1.0\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    seeds.into_iter().map(|seed| seed.as_bytes().to_vec()).collect()
}

struct Agent {
    address: String,
    /// A port that accepts.
    open: u16,
    /// It ends with this one.
    _process: Process,
}

impl Agent {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let open = listener.local_addr().expect("its address").port();
        thread::spawn(move || listener.incoming().for_each(drop));
        let mut command = process::command(program::agent());
        let process = Process::start("agent", command.args(["serve", "--listen", "127.0.0.1:0"]));
        let line = process.line("app-health-agent: listening on ");
        let address = line.rsplit(' ').next().expect("an address").to_owned();
        Self { address, open, _process: process }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("the agent accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// Whatever it is sent, what comes back is HTTP or nothing, and the connection ends.
    fn takes(&self, data: &[u8]) {
        let mut stream = self.connect();
        // It may have had enough before it has all of it.
        let _ = stream.write_all(data).and_then(|()| stream.shutdown(Shutdown::Write));
        let answer = until_closed(&mut stream);
        let text = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || text.starts_with("HTTP/1."), "{text}");
        let is_fault = |line: &str| {
            line.starts_with("HTTP/1.") && line.contains(" 50") && !line.contains(" 500 ")
        };
        assert!(!text.lines().any(is_fault), "{text}");
    }

    fn answer(&self, request: &str) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("it reads the request");
        until_closed(&mut stream)
    }
}

/// A reset is an end as well: the agent may close before it has read all.
fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return all,
            Ok(length) => all.extend(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return all,
            // By the alarm of libFuzzer.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("neither an answer nor an end: {error}"),
        }
    }
}

/// A request, and the status of its answer.
fn request(choices: &mut Choices, open: u16) -> (String, u16) {
    let method = choices.one_of(&["GET", "GET", "GET", "HEAD", "POST", "PURGE"]);
    let path = choices.one_of(&["/tcp/", "/tcp/", "/tcp/", "/tcp/", "/", "/TCP/", "/tcp//"]);
    let known = path == "/tcp/";
    // An address that is none, and some that are not this pod's.
    let addresses = [
        "127.0.0.1",
        "127.0.0.1",
        "127.0.0.1",
        "localhost",
        "127.1",
        "0177.0.0.1",
        "0.0.0.0",
        "::",
        "192.0.2.1",
        "2001:db8::1",
        "::1%251",
        "[::1]",
        "224.0.0.1",
        "255.255.255.255",
    ];
    let address = choices.one_of(&addresses);
    let open = open.to_string();
    let port = choices.one_of(&[&*open, &open, &open, "0", "65536", "", "x", "-1"]);
    let limit = choices.one_of(&[
        None,
        Some("60000"),
        Some("18446744073709551615"),
        Some("0"),
        Some("-1"),
        Some("1s"),
        Some(""),
    ]);
    let valid = address == "127.0.0.1" && port == open && limit.is_none_or(|it| it.len() > 4);
    let status = match (known, method) {
        (false, _) => 404,
        (true, "POST" | "PURGE") => 405,
        _ if valid => 200,
        _ => 400,
    };
    let limit = limit.map(|it| format!("x-app-health-timeout-ms: {it}\r\n")).unwrap_or_default();
    let request = format!(
        "{method} {path}{address}/{port} HTTP/1.1\r\nHost: agent\r\n{limit}Connection: close\r\n\r\n"
    );
    (request, status)
}
