//! Clients that hold memory and do nothing with it: bodies announced and not sent, answers not read.
//! A review is answered all the same, or told after 3 s to come again.

use std::time::Duration;

use app_health_tests::api_server::{Connection, Http, config, review, tls};
use app_health_tests::authority::{Authority, NAME};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, body::Bytes};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::memory::{LIMIT, list, review_of};
use crate::server::Server;

/// Longer than anything may take.
const LONG: Duration = Duration::from_secs(60);

async fn connect(server: &Server, authority: &Authority) -> TlsStream<TcpStream> {
    tls(server, config(authority.roots(), rustls::ALL_VERSIONS)).await.unwrap()
}

fn head(header: &str) -> Vec<u8> {
    format!("POST /mutate HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n{header}\r\n\r\n").into()
}

#[tokio::test]
async fn bodies_that_stall_do_not_keep_a_review_out() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    // Of the second kind, there is memory for 16.
    for (number, announced, sent) in [(200, 1 << 20, 1), (40, 1 << 20, (1 << 20) - 1)] {
        let mut stalled = JoinSet::new();
        for _ in 0..number {
            let mut stream = connect(&server, &authority).await;
            stream.write_all(&head(&format!("Content-Length: {announced}"))).await.unwrap();
            stalled.spawn(async move {
                let _ = stream.write_all(&vec![b' '; sent]).await;
                let mut answer = Vec::new();
                let _ = stream.read_to_end(&mut answer).await;
                answer
            });
        }
        // Opened only now: on a busy machine it would be idle for too long.
        let mut client = Connection::open(&server, &authority, Http::Two).await.unwrap();
        if sent == 1 {
            let answer = client.post(review()).await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        let answered = async { while client.post(review()).await.unwrap().status != 200 {} };
        timeout(LONG, answered).await.expect("a review is answered meanwhile");
        for answer in stalled.join_all().await {
            // Who was still sending then may not get to read it.
            let is_lost = answer.is_empty() && sent > 1;
            assert!(is_lost || answer.starts_with(b"HTTP/1.1 408 "), "{}", answer.escape_ascii());
        }
        let peak = server.peak_memory();
        assert!(peak < LIMIT, "{} MiB", peak >> 20);
    }
}

/// On each of many connections as many requests as it takes, of each as much as is taken of it before
/// there is memory for it. Those that are read unfold.
#[tokio::test]
async fn bodies_that_wait_for_memory_stay_within_the_limit() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let body = Bytes::from(review_of(&list("[0]")));
    let mut posts = JoinSet::new();
    for _ in 0..125 {
        let client = client(&server, &authority).await;
        for _ in 0..8 {
            let (mut client, request) = (client.clone(), request(body.clone()));
            posts.spawn(async move { client.send_request(request).await });
        }
    }
    let first_late = async {
        while let Some(answer) = posts.join_next().await {
            if answer.unwrap().unwrap().status() == 408 {
                break;
            }
        }
    };
    timeout(LONG, first_late).await.expect("who waits too long is told so");
    let peak = server.peak_memory();
    assert!(peak < LIMIT, "{} MiB", peak >> 20);
}

#[tokio::test]
async fn a_body_of_no_announced_length_is_read() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let mut stream = connect(&server, &authority).await;
    stream.write_all(&head("Transfer-Encoding: chunked")).await.unwrap();
    for chunk in review().as_bytes().chunks(1000) {
        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await.unwrap();
        stream.write_all(chunk).await.unwrap();
        stream.write_all(b"\r\n").await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", answer.escape_ascii());
}

/// A review whose answer is as large, since it has its uid.
fn of_large_answer() -> String {
    let mut review: Value = serde_json::from_str(&review()).unwrap();
    review["request"]["uid"] = "x".repeat(900_000).into();
    review.to_string()
}

type Client = SendRequest<Full<Bytes>>;

/// A client that may post several at once.
async fn client(server: &Server, authority: &Authority) -> Client {
    with_window(server, authority, 1 << 20).await
}

/// A client that takes nothing of an answer's body.
async fn deaf(server: &Server, authority: &Authority) -> Client {
    with_window(server, authority, 0).await
}

async fn with_window(server: &Server, authority: &Authority, window: u32) -> Client {
    let mut config = config(authority.roots(), rustls::ALL_VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let io = TokioIo::new(tls(server, config).await.unwrap());
    let mut http2 = http2::Builder::new(TokioExecutor::new());
    let (sender, talk) = http2.initial_stream_window_size(window).handshake(io).await.unwrap();
    tokio::spawn(talk);
    sender
}

fn request(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(format!("https://{NAME}/mutate")).body(Full::new(body.into())).unwrap()
}

/// A client that takes nothing of an answer's body loses its connection, and with it the memory that
/// its answers have.
#[tokio::test]
async fn who_does_not_read_an_answer_loses_the_connection() {
    let authority = Authority::new();
    let server = Server::with(&authority, &["--log-level", "debug"]);
    let mut sender = deaf(&server, &authority).await;
    let unread = sender.send_request(request(of_large_answer())).await.unwrap();
    assert_eq!(unread.status(), 200);
    // Other requests on the connection change nothing.
    let closed = async { while sender.send_request(request("")).await.is_ok() {} };
    timeout(LONG, closed).await.expect("the connection is closed");
    unread.into_body().collect().await.expect_err("the answer is cut off");
    server.wait_for("closed, since its client takes too long");
}
