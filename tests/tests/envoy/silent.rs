use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use app_health_tests::app::{Http, Open, Script, V4};
use app_health_tests::entries::{Entries, http, probe, tcp};
use app_health_tests::envoy::Setup;
use app_health_tests::net;

use super::SECOND;

const CONNECTIONS: u64 = 10_000;
/// They are sent away after 2 s, and in this test later, so that a busy machine has them all at once.
const SENT_AWAY: [&str; 2] = ["            idle_timeout: 2s", "request_headers_timeout: 2s"];

#[test]
fn ten_thousand_connections_that_say_nothing() {
    let limit = net::raise_descriptor_limit();
    assert!(limit > CONNECTIONS + 500, "ulimit -Hn is {limit}: this test needs 10,500");
    let (app, open) = (Http::start(V4, |_| Script::status(200)), Open::start(V4));
    let entries = Entries::default().probe("http", http(app.addr(), "/"));
    let entries = entries.probe("tcp", tcp(open.addr())).patient();
    let later = |config: &str| {
        SENT_AWAY.iter().fold(config.to_owned(), |config, line| {
            assert_eq!(config.matches(line).count(), 1, "{line}");
            config.replace(line, &line.replace("2s", "8s"))
        })
    };
    let envoy = Setup::default().probers(entries).edited(later).start();
    let connect = |_| TcpStream::connect(envoy.addr()).expect("a connection");
    let mut silent: Vec<TcpStream> = (0..CONNECTIONS).map(connect).collect();
    let active = || envoy.stat("http.app_health.downstream_cx_active");
    let mut most = 0;
    // Half of them send a byte a second. Until all have been sent away:
    for byte in b"GET /app-health/http/readyz HTTP/1.1\r\n" {
        for stream in silent.iter_mut().step_by(2) {
            // The other side may have closed it.
            let _ = stream.write(&[*byte]);
        }
        let next = Instant::now() + SECOND;
        while Instant::now() < next {
            for name in ["http", "tcp"] {
                assert_eq!(envoy.get(probe(name)).status(), Ok(200), "{name}");
            }
            thread::yield_now();
        }
        most = most.max(active());
        if active() < 10 {
            break;
        }
    }
    assert!(most >= CONNECTIONS / 4, "only {most} connections were open at once");
    assert!(active() < 10, "{} are still open", active());
}
