//! The filter for sidecars: the file under the path of its sum, 503 for any other, and clients that do
//! not read it.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use app_health_tests::api_server::{Connection, Http, review};
use app_health_tests::authority::Authority;
use app_health_tests::kubelet::{Get, send_bytes};
use app_health_tests::net::{narrow, raise_descriptor_limit};
use app_health_tests::poll::{PATIENCE, until};
use nix::sys::signal::Signal::SIGTERM;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::memory::LIMIT;
use crate::server::Server;

/// Bytes of the filter, about.
const SIZE: usize = 170_000;

/// For each of its tries pilot-agent waits so long.
const TRY: Duration = Duration::from_secs(15);

/// And an API server for a review.
const API_SERVER: Duration = Duration::from_secs(5);

/// A webhook with a file to serve, where that is, and its path.
struct Served {
    server: Server,
    to: SocketAddr,
    path: String,
    bytes: Vec<u8>,
    file: NamedTempFile,
}

impl Served {
    /// A file of so many bytes.
    fn start(authority: &Authority, size: usize) -> Self {
        let bytes = [&b"\0asm"[..], &vec![b'x'; size - 4]].concat();
        let file = NamedTempFile::new().unwrap();
        fs::write(&file, &bytes).unwrap();
        let sum = Command::new("sha256sum").arg(file.path()).output().unwrap().stdout;
        let path = format!("/{}.wasm", String::from_utf8_lossy(&sum[..64]));
        let name = file.path().to_str().unwrap();
        let server = Server::with(authority, &["--wasm", name, "--wasm-listen", "127.0.0.1:0"]);
        let line = server.wait_for("the filter is at http://");
        let to = line.split("http://").nth(1).unwrap().strip_suffix(&path).unwrap();
        Self { to: to.parse().unwrap(), server, path, bytes, file }
    }

    fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let get = Get::probe(self.to, path).timeout(Duration::from_secs(20)).whole_body();
        let answer = get.send().unwrap();
        (answer.status, answer.body)
    }

    /// Asks, and takes a few KiB until it is read from.
    fn slow_client(&self) -> TcpStream {
        let mut stream = narrow(self.to);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", self.path);
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    fn answer(&self, request: &str) -> String {
        let request = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = send_bytes(self.to, request.as_bytes(), Duration::from_secs(20)).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

#[test]
fn the_file_is_at_its_sum_and_nothing_else_is_there() {
    let served = Served::start(&Authority::new(), 200_000);
    let path = &served.path[..];
    assert_eq!(served.get(path), (200, served.bytes.clone()));
    let head = served.answer(&format!("HEAD {path}"));
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("content-type: application/wasm\r\n"), "{head}");
    assert!(head.contains("content-length: 200000\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let line = format!("only {path} is served here\n");
    let zeros = format!("/{}.wasm", "0".repeat(64));
    for other in ["/", "/app_health_filter.wasm", "/healthz", "/metrics", "/mutate", &zeros] {
        assert_eq!(served.get(other), (503, line.clone().into_bytes()), "{other}");
    }
    let post = served.answer(&format!("POST {path}"));
    assert!(post.starts_with("HTTP/1.1 405 ") && post.contains("allow: GET, HEAD\r\n"), "{post}");
    assert_eq!(served.server.get("/readyz"), Some((200, "ok".to_owned())));
    assert_eq!(served.server.get(path).unwrap().0, 404, "not on the port of metrics");
}

#[test]
fn a_file_that_is_replaced_while_it_is_served_is_served_as_it_was() {
    let authority = Authority::new();
    let served = Served::start(&authority, 1000);
    fs::write(served.file.path(), "none").unwrap();
    assert_eq!(served.get(&served.path), (200, served.bytes.clone()));
    fs::remove_file(served.file.path()).unwrap();
    assert_eq!(served.get(&served.path), (200, served.bytes.clone()));
}

#[test]
fn requests_are_counted_and_another_file_is_told_of() {
    let authority = Authority::new();
    let served = Served::start(&authority, 1000);
    let zeros = format!("/{}.wasm", "0".repeat(64));
    for path in [&zeros[..], "/", "/app_health_filter.wasm", &served.path] {
        served.get(path);
    }
    served.answer(&format!("POST {}", served.path));
    for (code, number) in [(200, 1.0), (405, 1.0), (503, 3.0)] {
        let metric = format!("app_health_wasm_requests_total{{code=\"{code}\"}}");
        assert_eq!(served.server.metric(&metric), number, "{metric}");
    }
    let line = served.server.wait_for("warning: ");
    let says = format!("warning: 503 for {zeros}: the filter here is {}; ", served.path);
    assert!(line.contains(&says) && line.contains("EnvoyFilter"), "{line}");
    assert_eq!(served.server.log().matches("warning").count(), 1, "{}", served.server.log());
}

/// More of them than are served at a time: they are gone after ten seconds, and a review never waits.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_read_keep_nobody_out() {
    let authority = Authority::new();
    let served = Served::start(&authority, 4 << 20);
    let start = Instant::now();
    let clients: Vec<_> = (0..64).map(|_| served.slow_client()).collect();
    let mut api_server = Connection::open(&served.server, &authority, Http::Two).await.unwrap();
    assert_eq!(api_server.post(review()).await.unwrap().status, 200);
    assert_eq!(served.server.get("/readyz"), Some((200, "ok".to_owned())));
    assert!(start.elapsed() < Duration::from_secs(8), "the clients may be gone already");
    let short = Get::probe(served.to, "/").status();
    assert!(short.is_err(), "they have all places: {short:?}");
    until("they are gone", || Get::probe(served.to, "/").status() == Ok(503));
    assert_eq!(served.get(&served.path).1, served.bytes);
    drop(clients);
}

#[test]
fn a_fetch_that_is_under_way_at_the_end_is_finished() {
    let authority = Authority::new();
    let served = Served::start(&authority, 4 << 20);
    let mut client = served.slow_client();
    // It has begun.
    client.read_exact(&mut [0; 1]).unwrap();
    served.server.signal(SIGTERM);
    served.server.wait_for("SIGTERM: not ready any more");
    assert_eq!(served.get(&served.path).0, 200, "for a while new ones are served all the same");
    until("no new ones", || TcpStream::connect(served.to).is_err());
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("the rest of the answer");
    assert!(answer.ends_with(&served.bytes), "{} bytes", answer.len());
    assert_eq!(served.server.wait(), Some(0));
    served.server.wait_for("done");
}

/// As a mesh that starts all at once, or is told of a new file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_sidecars_get_it_at_once_and_reviews_do_not_wait() {
    raise_descriptor_limit();
    let authority = Authority::new();
    let served = Served::start(&authority, SIZE);
    let mut api_server = Connection::open(&served.server, &authority, Http::Two).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", served.path);
    let mut fetches = JoinSet::new();
    for _ in 0..1000 {
        fetches.spawn(fetched(served.to, request.clone()));
    }
    let mut reviews = 0;
    while !fetches.is_empty() {
        let asked = timeout(API_SERVER, api_server.post(review())).await.expect("in time");
        assert_eq!(asked.unwrap().status, 200);
        reviews += 1;
        while let Some(fetched) = fetches.try_join_next() {
            let answer = fetched.unwrap().expect("an answer");
            assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(&served.bytes));
        }
    }
    assert!(reviews > 1, "all were fetched before a review was answered");
    let peak = served.server.peak_memory();
    assert!(peak < LIMIT, "{} MiB", peak >> 20);
    assert_eq!(served.server.metric("app_health_wasm_requests_total{code=\"200\"}"), 1000.0);
}

/// One try, since what breaks off is not tried again.
async fn fetched(to: SocketAddr, request: String) -> io::Result<Vec<u8>> {
    let fetch = async {
        let mut stream = tokio::net::TcpStream::connect(to).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer)
    };
    timeout(TRY, fetch).await?
}
