use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use app_health_tests::entries::Entries;
use app_health_tests::envoy::Envoy;
use app_health_tests::net::narrow;
use app_health_tests::poll::until;

use super::SECOND;
use super::expected::envoy;

/// Larger than what the kernel takes in for such a client.
const PAGE: &str = "/stats/prometheus";

fn ask(envoy: &Envoy) -> TcpStream {
    let mut stream = narrow(envoy.addr());
    let request = format!("GET {PAGE} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the request is sent");
    stream
}

#[test]
fn five_hundred_clients_that_do_not_read_lose_their_connections() {
    let envoy = envoy(Entries::default());
    let answered = || envoy.stat("http.app_health.downstream_rq_completed");
    let clients: Vec<TcpStream> = (0..500).map(|_| ask(&envoy)).collect();
    until("all are answered", || answered() == 500);
    let open = || envoy.stat("http.app_health.downstream_cx_active");
    until("all are closed", || open() == 0);
    drop(clients);
}

/// Longer than it takes a lost packet to be sent again.
#[test]
fn a_client_that_pauses_gets_all_of_it() {
    // On a busy machine a pause may be longer than it should be.
    let attempts = (0..10).map(|_| after_a_pause());
    let whole = attempts.into_iter().any(|all| all.ends_with("\r\n0\r\n\r\n"));
    assert!(whole, "each was cut off");
}

/// What comes of a page, the pause behind its first part.
fn after_a_pause() -> String {
    let envoy = envoy(Entries::default());
    let mut stream = ask(&envoy);
    let completed = || envoy.stat("http.app_health.downstream_rq_completed");
    until("it is answered", || completed() == 1);
    thread::sleep(Duration::from_millis(400));
    stream.set_read_timeout(Some(5 * SECOND)).expect("a time");
    let mut all = String::new();
    // Cut off, it may be reset.
    let _ = stream.read_to_string(&mut all);
    all
}
