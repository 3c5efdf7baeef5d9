//! SIGTERM: not ready any more, and no request is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use app_health_tests::api_server::{Connection, Failure, Http, config, review, tls};
use app_health_tests::authority::{Authority, NAME};
use app_health_tests::poll::until;
use nix::sys::signal::Signal::{SIGINT, SIGTERM};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_under_load() {
    let authority = Arc::new(Authority::new());
    let server = Arc::new(Server::start(&authority));
    let ready = Arc::new(AtomicBool::new(true));
    let clients: Vec<_> = (0..16)
        .map(|number| {
            let (server, authority) = (Arc::clone(&server), Arc::clone(&authority));
            let ready = Arc::clone(&ready);
            let http = if number % 2 == 0 { Http::One } else { Http::Two };
            tokio::spawn(async move { send(&server, &authority, &ready, http).await })
        })
        .collect();
    let busy = || server.metric("app_health_admission_duration_seconds_count") > 200.0;
    tokio::task::block_in_place(|| until("load", busy));
    server.signal(SIGTERM);
    let unready = || server.get("/readyz").is_none_or(|(status, _)| status == 503);
    tokio::task::block_in_place(|| until("not ready", unready));
    // From here on a Service sends no new connections.
    ready.store(false, Ordering::Relaxed);
    let mut late = 0;
    for client in clients {
        let (before, after) = client.await.unwrap();
        assert!(before > 0);
        late += after;
    }
    // One whose connection was closed just then has none.
    assert!(late > 0, "none was answered after the signal");
    let server = Arc::into_inner(server).unwrap();
    assert_eq!(server.wait(), Some(0));
}

/// Sends until the connection is closed after the signal. Requests answered before and after it.
async fn send(
    server: &Server,
    authority: &Authority,
    ready: &AtomicBool,
    http: Http,
) -> (usize, usize) {
    let (mut before, mut after) = (0, 0);
    let review = review();
    while ready.load(Ordering::Relaxed) {
        let mut connection = Connection::open(server, authority, http).await.unwrap();
        loop {
            let count = if ready.load(Ordering::Relaxed) { &mut before } else { &mut after };
            match connection.post(review.clone()).await {
                Ok(answer) => {
                    assert_eq!(answer.status, 200);
                    *count += 1;
                    if answer.closes {
                        break;
                    }
                }
                Err(Failure::NotSent(_)) => break,
                Err(Failure::Lost(error)) => panic!("lost: {error}"),
            }
        }
    }
    (before, after)
}

#[tokio::test]
async fn it_ends_though_a_client_sends_no_end_of_its_body() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let mut slow = tls(&server, config(authority.roots(), rustls::ALL_VERSIONS)).await.unwrap();
    let head = format!("POST /mutate HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 100000\r\n\r\n");
    slow.write_all(head.as_bytes()).await.unwrap();
    server.signal(SIGTERM);
    server.wait_for("SIGTERM: not ready any more");
    assert_eq!(server.get("/readyz").unwrap().0, 503);
    assert_eq!(server.get("/healthz").unwrap().0, 200);
    let mut late = Connection::open(&server, &authority, Http::One).await.unwrap();
    let answer = late.post(review()).await.unwrap();
    assert_eq!(
        (answer.status, answer.closes),
        (200, true),
        "for a while it is served all the same"
    );
    let mut answer = Vec::new();
    let _ = slow.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", answer.escape_ascii());
    assert_eq!(server.wait(), Some(0));
    server.wait_for("done");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    server.signal(SIGTERM);
    server.wait_for("SIGTERM: not ready any more");
    server.signal(SIGINT);
    assert_eq!(server.wait(), Some(0));
    server.wait_for("second signal: ending at once");
}
