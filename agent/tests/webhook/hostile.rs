//! Clients that speak no TLS, or an old one, or nothing, or too much, or too slowly. Others are
//! served meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use app_health_tests::api_server::{Connection, Http, config, review, tls};
use app_health_tests::authority::{Authority, NAME};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::memory::LIMIT;
use crate::server::Server;

/// Longer than any connection is kept that comes to nothing.
const CLOSED: Duration = Duration::from_secs(30);

async fn assert_served(server: &Server, authority: &Authority) {
    let mut connection = Connection::open(server, authority, Http::Two).await.unwrap();
    assert_eq!(connection.post(review()).await.unwrap().status, 200);
}

/// Sends this, and reads until the server closes.
fn until_closed(server: &Server, sent: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(sent).unwrap();
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    answer
}

/// The first bytes of a ClientHello of TLS 1.1, without extensions.
fn old_hello() -> Vec<u8> {
    let random = [7; 32];
    let suites = [0x00, 0x2f, 0xc0, 0x13];
    let mut hello = vec![0x03, 0x02];
    hello.extend(random);
    hello.extend([0, 0, suites.len() as u8]);
    hello.extend(suites);
    hello.extend([1, 0]);
    let mut handshake = vec![1, 0, 0, hello.len() as u8];
    handshake.extend(hello);
    let mut record = vec![0x16, 0x03, 0x01, 0, handshake.len() as u8];
    record.extend(handshake);
    record
}

#[tokio::test]
async fn what_is_no_tls_of_today_is_closed_at_once() {
    let authority = Authority::new();
    let server = Server::with(&authority, &["--log-level", "debug"]);
    let plain = format!("POST /mutate HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 0\r\n\r\n");
    for sent in [plain.into_bytes(), old_hello(), vec![0; 4096], vec![0xff; 70_000]] {
        let answer = until_closed(&server, &sent);
        // An alert, if anything.
        assert!(answer.is_empty() || answer[0] == 0x15, "{answer:?}");
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
    assert!(!server.log().contains("not done in time"), "{}", server.log());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let stream = tls(&server, config(authority.roots(), &[version])).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
    }
    assert_served(&server, &authority).await;
}

#[tokio::test]
async fn a_thousand_handshakes_that_never_end_keep_nobody_out() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let began = Instant::now();
    let hello = [0x16, 0x03, 0x01];
    let mut silent: Vec<_> = (0..1000)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(&hello).unwrap();
            stream
        })
        .collect();
    for _ in 0..5 {
        assert_served(&server, &authority).await;
    }
    let peak = server.peak_memory();
    assert!(peak < LIMIT, "{} MiB", peak >> 20);
    for stream in &mut silent {
        let left = CLOSED.saturating_sub(began.elapsed()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left)).unwrap();
        let read = stream.read(&mut [0; 64]);
        let kind = read.as_ref().map_err(std::io::Error::kind);
        let closed = matches!(kind, Ok(0) | Err(std::io::ErrorKind::ConnectionReset));
        assert!(closed, "{read:?} after {:?}", began.elapsed());
    }
    assert_served(&server, &authority).await;
}

#[test]
fn silent_clients_of_the_plain_port_keep_no_kubelet_out() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let silent: Vec<_> = (0..500).map(|_| TcpStream::connect(server.status).unwrap()).collect();
    assert_eq!(server.get("/healthz"), Some((200, "ok".to_owned())));
    for mut stream in silent {
        stream.set_read_timeout(Some(CLOSED)).unwrap();
        assert_eq!(stream.read(&mut [0]).expect("closed"), 0);
    }
}

#[tokio::test]
async fn slow_heads_and_bodies_are_ended_in_time() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let head = format!("POST /mutate HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 100\r\n");
    let began = Instant::now();
    let mut slow = Vec::new();
    for (sent, answer) in [
        (String::new(), ""),
        (head.clone(), ""),
        (format!("{head}\r\n{{\"kind\""), "HTTP/1.1 408 "),
    ] {
        let mut stream =
            tls(&server, config(authority.roots(), rustls::ALL_VERSIONS)).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        slow.push((stream, answer));
    }
    assert_served(&server, &authority).await;
    for (mut stream, expected) in slow {
        let mut answer = Vec::new();
        // A close without TLS's own goodbye is as good.
        let _ =
            tokio::time::timeout(CLOSED, stream.read_to_end(&mut answer)).await.expect("closed");
        assert!(began.elapsed() < CLOSED, "{:?}", began.elapsed());
        let answer = String::from_utf8(answer).unwrap();
        assert!(
            answer.starts_with(expected) && answer.is_empty() == expected.is_empty(),
            "{answer}"
        );
    }
    assert_eq!(
        server.metric("app_health_admissions_total{result=\"refused\",task=\"rewrite\"}"),
        1.0
    );
    assert_served(&server, &authority).await;
}
