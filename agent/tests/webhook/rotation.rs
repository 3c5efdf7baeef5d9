//! Another certificate while requests go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use app_health_tests::api_server::{Connection, Failure, Http, config, review, tls};
use app_health_tests::authority::Authority;
use app_health_tests::poll::until;
use time::Duration;

use crate::server::Server;

const REQUESTS: usize = 10_000;
const SWAPS: usize = 20;

/// The certificate that a new connection gets.
async fn served(server: &Server, authority: &Authority) -> Vec<u8> {
    let tls = tls(server, config(authority.roots(), rustls::ALL_VERSIONS)).await.unwrap();
    tls.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// New certificates that the log has told of.
fn loaded(server: &Server) -> usize {
    server.log().matches("new certificate").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_it_is_swapped() {
    let authority = Arc::new(Authority::new());
    let server = Arc::new(Server::start(&authority));
    let left = Arc::new(AtomicUsize::new(REQUESTS));
    let swapped = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..16)
        .map(|number| {
            let (server, authority) = (Arc::clone(&server), Arc::clone(&authority));
            let (left, swapped) = (Arc::clone(&left), Arc::clone(&swapped));
            let http = if number % 2 == 0 { Http::One } else { Http::Two };
            tokio::spawn(async move { send(&server, &authority, &left, &swapped, http).await })
        })
        .collect();
    for swap in 1..=SWAPS {
        authority.swap(Duration::days(90));
        let wait = || loaded(&server) >= swap;
        tokio::task::block_in_place(|| until("the new certificate is loaded", wait));
        swapped.store(swap, Ordering::Relaxed);
    }
    let mut answered = 0;
    for client in clients {
        answered += client.await.unwrap();
    }
    assert!(answered >= REQUESTS, "{answered}");
    let last = authority.swap(Duration::days(30));
    tokio::task::block_in_place(|| until("loaded", || loaded(&server) == SWAPS + 1));
    assert_eq!(served(&server, &authority).await, last);
}

/// Sends its share, and goes on until all swaps are done; a new connection every 50 requests.
async fn send(
    server: &Server,
    authority: &Authority,
    left: &AtomicUsize,
    swapped: &AtomicUsize,
    http: Http,
) -> usize {
    let mut answered = 0;
    let review = review();
    while take(left) || swapped.load(Ordering::Relaxed) < SWAPS {
        let mut connection = Connection::open(server, authority, http).await.unwrap();
        for _ in 0..50 {
            let answer = connection.post(review.clone()).await;
            assert_eq!(answer.unwrap().status, 200);
            answered += 1;
        }
    }
    answered
}

/// Fifty requests of those that are left.
fn take(left: &AtomicUsize) -> bool {
    let less = |left: usize| left.checked_sub(50);
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
}

#[tokio::test]
async fn a_bad_pair_is_logged_once_and_the_old_one_stays() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let before = served(&server, &authority).await;
    let foreign = Authority::new();
    let certificate = std::fs::read_to_string(foreign.certificate()).unwrap();
    let key = std::fs::read_to_string(authority.key()).unwrap();
    authority.put(&certificate, &key);
    server.wait_for("error: --tls-key");
    authority.put("", &key);
    server.wait_for("error: --tls-cert");
    assert_eq!(served(&server, &authority).await, before);
    let after = authority.swap(Duration::days(90));
    server.wait_for("new certificate, which expires at");
    assert_eq!(served(&server, &authority).await, after);
    assert_eq!(server.log().matches("the certificate that was loaded stays").count(), 2);
}

#[tokio::test]
async fn its_expiry_is_logged_in_the_last_sixth_of_its_life() {
    let authority = Authority::new();
    // A day old.
    authority.swap(Duration::hours(4));
    let server = Server::start(&authority);
    server.wait_for("warning: the certificate expires at");
}

#[tokio::test]
async fn one_that_is_not_valid_now_replaces_no_valid_one() {
    let authority = Authority::new();
    let server = Server::start(&authority);
    let before = served(&server, &authority).await;
    authority.swap(-Duration::hours(1));
    server.wait_for("tls.crt: expired at ");
    authority.swap_between(Duration::hours(1), Duration::days(90));
    server.wait_for("tls.crt: is not valid before ");
    assert_eq!(server.log().matches("the certificate that was loaded stays").count(), 2);
    assert_eq!(served(&server, &authority).await, before);
    // Seconds are the most exact that a certificate has.
    let after = authority.swap_between(Duration::seconds(10), Duration::days(90));
    server.wait_for("new certificate");
    assert_eq!(served(&server, &authority).await, after);
    // The same pair twice is the same problem, also when it is found at each look.
    let said = server.log().matches("tls.crt: is not valid before ").count();
    assert_eq!(said, 2, "{}", server.log());
}

/// The one that is to come, once the one that was is no more.
#[tokio::test]
async fn one_that_is_not_valid_yet_replaces_one_that_has_expired_since() {
    let authority = Authority::new();
    authority.swap(Duration::seconds(10));
    let server = Server::start(&authority);
    authority.swap_between(Duration::hours(1), Duration::days(90));
    server.wait_for("tls.crt: is not valid before ");
    server.wait_for("new certificate");
    let error = Connection::open(&server, &authority, Http::Two).await.err().unwrap();
    assert!(matches!(error, Failure::NotSent(error) if error.contains("not valid yet")));
}

#[tokio::test]
async fn one_that_has_expired_is_served_where_there_is_no_other() {
    let authority = Authority::new();
    authority.swap(-Duration::hours(2));
    let server = Server::start(&authority);
    server.wait_for("warning: the certificate expired at");
    assert_eq!(server.log().matches("expired at").count(), 1, "{}", server.log());
    let expired = Some((503, "the certificate has expired".to_owned()));
    assert_eq!(server.get("/readyz"), expired);
    assert_eq!(server.get("/healthz"), Some((200, "ok".to_owned())));
    authority.swap(-Duration::hours(1));
    server.wait_for("new certificate");
    let error = Connection::open(&server, &authority, Http::Two).await.err().unwrap();
    assert!(matches!(error, Failure::NotSent(error) if error.contains("certificate expired")));
    assert_eq!(server.get("/readyz"), expired);
    authority.swap(Duration::days(90));
    until("it is ready", || server.get("/readyz") == Some((200, "ok".to_owned())));
}
