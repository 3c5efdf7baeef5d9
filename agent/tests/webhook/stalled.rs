//! Clients that hold memory and do nothing with it: bodies announced and not sent, answers not read.
//! A review is answered all the same, after 3 s at most.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response, body::Bytes, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::authority::{Authority, NAME};
use crate::client::{Connection, Http, config, review, tls};
use crate::memory::{LIMIT, list, review_of};
use crate::server::Server;

/// An API server waits 5 s.
const IN_TIME: Duration = Duration::from_secs(4);

/// Longer than anything may take.
const LONG: Duration = Duration::from_secs(60);

async fn connect(server: &Server, authority: &Authority) -> TlsStream<TcpStream> {
    tls(server, config(authority.roots(), rustls::ALL_VERSIONS)).await.unwrap()
}

fn head(header: &str) -> Vec<u8> {
    format!("POST /mutate HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n{header}\r\n\r\n").into()
}

/// Announces so much of a body, and sends so much of it.
async fn stall(server: &Server, authority: &Authority, announced: usize, sent: usize) -> Vec<u8> {
    let mut stream = connect(server, authority).await;
    let _ = stream.write_all(&head(&format!("Content-Length: {announced}"))).await;
    let _ = stream.write_all(&vec![b' '; sent]).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test]
async fn bodies_that_stall_keep_a_review_waiting_for_3_s_at_most() {
    let authority = Arc::new(Authority::new());
    let server = Arc::new(Server::start(&authority));
    let mut client = Connection::open(&server, &authority, Http::Two).await.unwrap();
    // Of the second kind, there is memory for 16.
    for (number, announced, sent) in [(200, 1 << 20, 1), (40, 1 << 20, (1 << 20) - 1)] {
        let mut stalled = JoinSet::new();
        for _ in 0..number {
            let (server, authority) = (Arc::clone(&server), Arc::clone(&authority));
            stalled.spawn(async move { stall(&server, &authority, announced, sent).await });
        }
        while stalled.try_join_next().is_none() {
            let answer = timeout(IN_TIME, client.post(review())).await.expect("in time").unwrap();
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        for answer in stalled.join_all().await {
            assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", answer.escape_ascii());
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

/// All of them begun before any of them ends.
#[tokio::test]
async fn bodies_of_no_announced_length_have_room() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let body = review_of(&list("[0]")).into_bytes();
    let mut posts = JoinSet::new();
    for _ in 0..12 {
        let (mut stream, body) = (connect(&server, &authority).await, body.clone());
        stream.write_all(&head("Transfer-Encoding: chunked")).await.unwrap();
        posts.spawn(async move {
            for chunk in body.chunks(64 << 10) {
                stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await.unwrap();
                stream.write_all(chunk).await.unwrap();
                stream.write_all(b"\r\n").await.unwrap();
            }
            stream.write_all(b"0\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8(answer).unwrap()
        });
    }
    for answer in posts.join_all().await {
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

/// So many probes, for which the answer is several times as large.
fn pod_of_probes(number: usize) -> String {
    let container = |i| {
        format!(
            r#"{{"name":"container-{i}","image":"image:1","readinessProbe":{{"httpGet":{{"port":8080,"path":"/x"}}}}}},"#
        )
    };
    let containers: String = (0..number).map(container).collect();
    format!(r#"{{"spec":{{"containers":[{containers}{{"name":"istio-proxy"}}]}}}}"#)
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
async fn answers_that_nobody_reads_stay_within_the_limit() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let body = Bytes::from(review_of(&pod_of_probes(2200)));
    let mut unread: JoinSet<Option<Response<Incoming>>> = JoinSet::new();
    for _ in 0..30 {
        let sender = deaf(&server, &authority).await;
        for _ in 0..8 {
            let (mut sender, request) = (sender.clone(), request(body.clone()));
            unread.spawn(async move { sender.send_request(request).await.ok() });
        }
    }
    let mut answers = Vec::new();
    while let Some(answer) = timeout(LONG, unread.join_next()).await.expect("an end") {
        answers.extend(answer.unwrap());
    }
    let peak = server.peak_memory();
    assert!(peak < LIMIT, "{} MiB", peak >> 20);
    let count = |status| answers.iter().filter(|answer| answer.status() == status).count();
    assert!(count(200) > 0 && count(408) + count(503) > 0, "who has to wait too long is told so");
    let served = async {
        let mut client = Connection::open(&server, &authority, Http::Two).await.unwrap();
        while client.post(review()).await.unwrap().status != 200 {}
    };
    timeout(LONG, served).await.expect("once their connections are closed");
}
