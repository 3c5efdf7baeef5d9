//! Clients that hold memory and do nothing with it: bodies announced and not sent, answers not read.
//! Others are served meanwhile.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response, body::Bytes, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
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

const AT_ONCE: Duration = Duration::from_secs(1);

/// Longer than anything may take.
const LONG: Duration = Duration::from_secs(60);

/// A review with so many bytes more than usual.
fn larger(bytes: usize) -> String {
    let mut review: Value = serde_json::from_str(&review()).unwrap();
    let env = review["request"]["object"]["spec"]["containers"][0]["env"].as_array_mut().unwrap();
    env.push(json!({"name": "BIG", "value": "x".repeat(bytes)}));
    review.to_string()
}

/// One after the other for so long, each in time.
async fn assert_served(client: &mut Connection, body: &str, during: Duration, each: Duration) {
    let began = Instant::now();
    while began.elapsed() < during {
        let answer = timeout(each, client.post(body.to_owned())).await;
        let answer = answer.unwrap_or_else(|_| panic!("not within {each:?}")).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

async fn connect(server: &Server, authority: &Authority) -> TlsStream<TcpStream> {
    tls(server, config(authority.roots(), rustls::ALL_VERSIONS)).await.unwrap()
}

fn head(header: &str) -> Vec<u8> {
    format!("POST /mutate HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n{header}\r\n\r\n").into()
}

#[tokio::test]
async fn bodies_that_stall_keep_nobody_waiting() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let mut client = Connection::open(&server, &authority, Http::Two).await.unwrap();
    let (small, large) = (review(), larger(300 << 10));
    for (number, length, sent, small_takes, large_takes) in [
        (8, 4 << 20, 1, AT_ONCE, IN_TIME),
        (8, 4 << 20, (4 << 20) - 1, AT_ONCE, IN_TIME),
        (80, 64 << 10, 1, IN_TIME, AT_ONCE),
        (80, 64 << 10, (64 << 10) - 1, IN_TIME, AT_ONCE),
    ] {
        let mut stalled = JoinSet::new();
        for _ in 0..number {
            let mut stream = connect(&server, &authority).await;
            stream.write_all(&head(&format!("Content-Length: {length}"))).await.unwrap();
            stalled.spawn(async move {
                let _ = stream.write_all(&vec![b' '; sent]).await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
        }
        for (body, takes) in [(&small, small_takes), (&large, large_takes)] {
            assert_served(&mut client, body, AT_ONCE, takes).await;
        }
    }
}

/// Neither on a connection of its own nor on the one on which small ones come.
#[tokio::test]
async fn a_large_body_that_waits_for_memory_stops_no_small_one_on_its_connection() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let mut client = client(&server, &authority).await;
    assert_eq!(post(&mut client, &review()).await, 200);
    let mut stalled = Vec::new();
    for _ in 0..6 {
        let mut stream = connect(&server, &authority).await;
        stream.write_all(&head("Transfer-Encoding: chunked")).await.unwrap();
        stream.write_all(b"1\r\n \r\n").await.unwrap();
        stalled.push(stream);
    }
    let mut large = JoinSet::new();
    for _ in 0..3 {
        let mut client = client.clone();
        let body = larger(300 << 10);
        large.spawn(async move { post(&mut client, &body).await });
    }
    let began = Instant::now();
    while large.try_join_next().is_none() && began.elapsed() < AT_ONCE {
        let small = timeout(AT_ONCE / 2, post(&mut client, &review())).await;
        assert_eq!(small.expect("at once"), 200);
    }
    assert!(began.elapsed() >= AT_ONCE, "the large ones did not wait");
    let answers = timeout(IN_TIME, large.join_all()).await.expect("in time");
    assert_eq!(answers, [200; 3]);
}

/// Almost as many connections as may be open, on each as many requests as it takes, and of each as
/// much as is taken of it before there is memory for it. Meanwhile some are read that unfold.
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

/// More than there is room for, all of them begun before any of them ends.
#[tokio::test]
async fn bodies_of_no_announced_length_do_not_wait_for_each_other() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let body = larger(3 << 20).into_bytes();
    let mut posts = JoinSet::new();
    for _ in 0..8 {
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

/// The status, all of the answer read.
async fn post(client: &mut Client, body: &str) -> u16 {
    let answer = client.send_request(request(body.to_owned())).await.unwrap();
    let status = answer.status().as_u16();
    answer.into_body().collect().await.unwrap();
    status
}

#[tokio::test]
async fn answers_that_nobody_reads_stay_within_the_limit() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let mut client = Connection::open(&server, &authority, Http::Two).await.unwrap();
    let body = Bytes::from(review_of(&pod_of_probes(2200)));
    let mut unread: JoinSet<Option<Response<Incoming>>> = JoinSet::new();
    for _ in 0..4 {
        let sender = deaf(&server, &authority).await;
        for _ in 0..60 {
            let (mut sender, request) = (sender.clone(), request(body.clone()));
            unread.spawn(async move { sender.send_request(request).await.ok() });
        }
    }
    for body in [review(), larger(300 << 10)] {
        assert_served(&mut client, &body, Duration::from_secs(3), IN_TIME).await;
    }
    let answers = all_within_the_limit(unread, &server).await;
    assert!(answers.iter().any(|answer| answer.status() == 200));
}

/// The answers that came.
async fn all_within_the_limit(
    mut unread: JoinSet<Option<Response<Incoming>>>,
    server: &Server,
) -> Vec<Response<Incoming>> {
    let mut answers = Vec::new();
    while let Some(answer) = timeout(LONG, unread.join_next()).await.expect("an end") {
        answers.extend(answer.unwrap());
        let peak = server.peak_memory();
        assert!(peak < LIMIT, "{} MiB after {} answers", peak >> 20, answers.len());
    }
    answers
}

/// A few take all the memory that answers have, until their connections are closed; then the next few.
#[tokio::test]
async fn who_would_wait_too_long_for_others_to_read_is_told_so() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let body = Bytes::from(review_of(&pod_of_probes(2200)));
    let mut clients = Vec::new();
    for _ in 0..60 {
        clients.push(deaf(&server, &authority).await);
    }
    let mut unread = JoinSet::new();
    for mut sender in clients {
        let request = request(body.clone());
        unread.spawn(async move { sender.send_request(request).await.ok() });
    }
    let answers = all_within_the_limit(unread, &server).await;
    for status in [200, 503] {
        assert!(answers.iter().any(|answer| answer.status() == status), "no {status}");
    }
    server.wait_for("warning: 503: no memory was free for the answer in time");
}
