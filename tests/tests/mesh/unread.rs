use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use app_health_tests::app::V4;
use app_health_tests::mesh::{EnvoyFilter, POD_V4, Setup, World};
use app_health_tests::net::narrow;
use app_health_tests::poll::until;

use super::ports;

/// The limit of a page's route, as it ships, and one that a test can wait for.
const LIMIT: &str = r#""max_stream_duration":"60s""#;
const SHORT: &str = r#""max_stream_duration":"20s""#;

fn with_short_limit() -> EnvoyFilter {
    let shipped = EnvoyFilter::shipped().0.to_string();
    assert_eq!(shipped.matches(LIMIT).count(), 2, "the routes of pages");
    EnvoyFilter(serde_json::from_str(&shipped.replace(LIMIT, SHORT)).expect("JSON"))
}

#[test]
fn clients_that_do_not_read_pages_keep_nobody_else_out() {
    let world = World::dual_stack();
    let sidecar = Setup::strict().filter(with_short_limit()).start(&world);
    let to = SocketAddr::new(POD_V4, 15020);
    let get = |path: &str| ports::status(&world.node, to, &ports::request("GET", path, ""));
    let ask = || -> TcpStream {
        let mut stream = narrow(to);
        let request = ports::request("GET", "/metrics?long", "");
        stream.write_all(request.as_bytes()).expect("the request is sent");
        stream
    };
    let start = Instant::now();
    let clients =
        |n: usize| -> Vec<TcpStream> { world.node.run(|| (0..n).map(|_| ask()).collect()) };
    let pages = |stat: &str| sidecar.stat(&format!("cluster.app_health_pilot_agent_pages.{stat}"));
    // Sixteen are served, 64 wait, and the others are turned away: who asks now is one of these. Asked before,
    // it would wait in the place of one of them. Requests wait for their connections, too: had all come at
    // once, more than those others would be turned away, and the places of the first sixteen be free again.
    let _served = clients(16);
    until("sixteen pages are served", || pages("upstream_rq_active") == 16);
    let _waiting = clients(84);
    until("pages are at their limit", || pages("circuit_breakers.default.rq_pending_open") == 1);
    assert_eq!(get("/stats/prometheus"), Ok(503));
    for _ in 0..20 {
        assert_eq!(get("/healthz/ready"), Ok(200));
    }
    // A sidecar that is to be drained is, too.
    let drain = ports::request("POST", "/drain", "");
    assert_eq!(ports::status(&world.pod, (V4, 15020).into(), &drain), Ok(200));
    until("pages are served again", || get("/stats/prometheus") == Ok(200));
    assert!(start.elapsed().as_secs() >= 3, "that was no test");
}
