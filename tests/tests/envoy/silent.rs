use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use app_health_tests::app::{Http, Open, Script, V4};
use app_health_tests::entries::{Entries, http, probe, tcp, within};
use app_health_tests::net;

use super::SECOND;
use super::want::envoy;

const CONNECTIONS: u64 = 10_000;
/// Thousands of connections closed at once keep a busy machine from answering for half a second.
const TIMEOUT: Duration = Duration::from_secs(3);

#[test]
fn ten_thousand_connections_that_say_nothing() {
    let limit = net::raise_descriptor_limit();
    assert!(limit > CONNECTIONS + 500, "ulimit -Hn is {limit}: this test needs 10,500");
    let (app, open) = (Http::start(V4, |_| Script::status(200)), Open::start(V4));
    let entries = Entries::default().probe("http", within(3, http(app.addr(), "/")));
    let envoy = envoy(entries.probe("tcp", within(3, tcp(open.addr()))));
    let connect = |_| TcpStream::connect(envoy.addr()).expect("a connection");
    let mut silent: Vec<TcpStream> = (0..CONNECTIONS).map(connect).collect();
    let active = || envoy.stat("http.app_health.downstream_cx_active");
    let mut most = 0;
    let start = Instant::now();
    // Half of them send a byte a second. Until all have been sent away:
    for byte in b"GET /app-health/http/readyz HTTP/1.1\r\nX-Long: ".iter().chain([b'x'; 60].iter())
    {
        for stream in silent.iter_mut().step_by(2) {
            // The other side may have closed it.
            let _ = stream.write(&[*byte]);
        }
        let next = Instant::now() + SECOND;
        while Instant::now() < next {
            for name in ["http", "tcp"] {
                let get = envoy.get(probe(name)).timeout(TIMEOUT);
                assert_eq!(get.status(), Ok(200), "{name}");
            }
            thread::yield_now();
        }
        most = most.max(active());
        if active() < 10 {
            break;
        }
    }
    // The first are sent away while a busy machine still opens the last.
    assert!(most >= CONNECTIONS / 4, "only {most} connections were open at once");
    assert!(start.elapsed() < 20 * SECOND, "they were open for {:?}", start.elapsed());
}
