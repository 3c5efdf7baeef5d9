use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use app_health_tests::app::{Http, Request, Script, V4, V6};
use app_health_tests::kubelet::send_bytes;
use app_health_tests::mesh::{
    Deployment, NODE_V4, NODE_V6, Namespace, Nginx, POD_V4, POD_V6, Setup, World,
};
use app_health_tests::poll::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::{FAMILIES, HTTP};

/// Where the sidecar connects from, for others.
const BIND_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 6));
const BIND_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6));

/// What a caller may claim about itself.
const CLAIMS: [&str; 7] = [
    "",
    "X-Forwarded-For: 127.0.0.1\r\n",
    "X-Forwarded-For: ::1\r\nX-Forwarded-Proto: http\r\n",
    "X-Real-IP: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n",
    "X-Envoy-External-Address: 127.0.0.1\r\nX-Envoy-Internal: true\r\n",
    "X-Envoy-Original-Dst-Host: 127.0.0.1:15019\r\n",
    "X-Envoy-Original-Path: /healthz/ready\r\nX-Original-Url: /healthz/ready\r\n",
];

pub(super) fn request(method: &str, path: &str, claims: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{claims}Connection: close\r\n\r\n")
}

/// The status with which this is answered; an error where it is not.
pub(super) fn status(from: &Namespace, to: SocketAddr, request: &str) -> Result<u16, String> {
    let answer = from.run(|| send_bytes(to, request.as_bytes(), Duration::from_secs(5)));
    let answer = answer.map_err(|error| error.to_string())?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| format!("no HTTP: {answer:?}"))
}

#[test]
fn pilot_agents_duties_stay_served() {
    let world = World::dual_stack();
    let sidecar = Setup::strict().start(&world);
    for (n, ip) in FAMILIES.into_iter().enumerate() {
        for path in ["/healthz/ready", "/metrics", "/stats/prometheus", "/stats/prometheus?x"] {
            let to = SocketAddr::new(ip, 15020);
            assert_eq!(status(&world.node, to, &request("GET", path, "")), Ok(200), "{ip} {path}");
            assert_eq!(sidecar.pilot_agent.seen_at(path).len(), n + 1, "{path}");
            assert_eq!(status(&world.node, to, &request("POST", path, "")), Ok(404), "{path}");
        }
    }
}

#[test]
fn only_loopback_ends_or_drains_the_sidecar() {
    let world = World::dual_stack();
    let sidecar = Setup::strict().start(&world);
    for path in ["/quitquitquit", "/drain"] {
        for ip in FAMILIES {
            for claims in CLAIMS {
                for port in [15020, 15019] {
                    let (to, post) = (SocketAddr::new(ip, port), request("POST", path, claims));
                    let from_node = status(&world.node, to, &post);
                    assert_eq!(from_node, Ok(403), "{path} at {to} with {claims:?}");
                    // The pod's own address is no loopback, either.
                    let from_pod = status(&world.pod, to, &post);
                    assert_eq!(from_pod, Ok(403), "{path} at {to} with {claims:?} from the pod");
                }
            }
        }
        for other in ["//quitquitquit", "/./drain", "/drain/", "/%64rain", "/debug/ndsz", "/quit"] {
            let to = (FAMILIES[0], 15020).into();
            assert_eq!(status(&world.node, to, &request("POST", other, "")), Ok(404), "{other}");
        }
        let from_envoy = |request: &&Request| request.peer.ip().to_canonical() == V4;
        assert_eq!(sidecar.pilot_agent.seen_at(path).iter().find(from_envoy), None);
        for ip in [V4, V6] {
            for claims in ["", "X-Forwarded-For: 203.0.113.9\r\n"] {
                let (to, post) = (SocketAddr::new(ip, 15020), request("POST", path, claims));
                assert_eq!(
                    status(&world.pod, to, &post),
                    Ok(200),
                    "{path} at {to} with {claims:?}"
                );
            }
            let get = request("GET", path, "");
            assert_eq!(status(&world.pod, (ip, 15020).into(), &get), Ok(404), "GET {path}");
        }
    }
}

#[test]
fn only_loopback_sees_the_status_page() {
    let world = World::dual_stack();
    let _sidecar = Setup::permissive().start(&world);
    for (ip, claims) in FAMILIES.into_iter().flat_map(|ip| CLAIMS.map(|claims| (ip, claims))) {
        for (method, path) in [("GET", "/app-health/"), ("POST", "/app-health/?x")] {
            let (to, page) = (SocketAddr::new(ip, 15020), request(method, path, claims));
            assert_eq!(status(&world.node, to, &page), Ok(403), "{path} at {to}, {claims:?}");
            assert_eq!(status(&world.pod, to, &page), Ok(403), "{path} from the pod, {claims:?}");
        }
    }
    let page = request("GET", "/app-health/", "");
    for (from, to) in [(BIND_V4, V4), (BIND_V6, V6), (BIND_V4, POD_V4), (BIND_V6, POD_V6)] {
        let answer = world.pod.run(|| from_bind_address(from, (to, 15020).into(), &page));
        let refused = |answer: &String| answer.starts_with("HTTP/1.1 403");
        assert!(answer.as_ref().is_ok_and(refused), "at {to}: {answer:?}");
    }
    for ip in [V4, V6] {
        for claims in ["", "X-Forwarded-For: 203.0.113.9\r\n"] {
            let (to, page) = (SocketAddr::new(ip, 15020), request("GET", "/app-health/", claims));
            assert_eq!(status(&world.pod, to, &page), Ok(200), "at {to} with {claims:?}");
        }
    }
}

#[test]
fn what_the_sidecar_passes_on_is_no_loopback() {
    let world = World::dual_stack();
    let sidecar = Setup::permissive().start(&world);
    let friend = sidecar.authority.client();
    // As Envoy's own connections to the pod, for whoever they may be.
    for path in ["/quitquitquit", "/drain"] {
        let post = request("POST", path, "");
        for (from, to) in [(BIND_V4, V4), (BIND_V6, V6), (BIND_V4, POD_V4), (BIND_V6, POD_V6)] {
            let answer = world.pod.run(|| from_bind_address(from, (to, 15020).into(), &post));
            let refused = |answer: &String| answer.starts_with("HTTP/1.1 403");
            assert!(answer.as_ref().is_ok_and(refused), "{path} at {to}: {answer:?}");
        }
        for ip in FAMILIES {
            // Excluded from the interception: otherwise pilot-agent would see 127.0.0.6.
            let to = SocketAddr::new(ip, 15019);
            assert_eq!(status(&world.node, to, &post), Ok(403), "{path} at {to}");
            assert!(world.node.run(|| friend.exchange(to, &post)).is_err(), "{path} at {to}");
        }
    }
    let is_loopback = |peer: IpAddr| peer.to_canonical().is_loopback();
    let seen = sidecar.pilot_agent.seen();
    assert!(!seen.iter().any(|request| is_loopback(request.peer.ip())), "{seen:?}");
}

/// The answer to a request sent from 127.0.0.6 or ::6.
fn from_bind_address(from: IpAddr, to: SocketAddr, request: &str) -> io::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let socket = if from.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind((from, 0).into())?;
        let mut stream = socket.connect(to).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut all = String::new();
        stream.read_to_string(&mut all).await?;
        Ok(all)
    })
}

#[test]
fn what_the_pod_sends_out_goes_through_the_sidecar() {
    let world = World::dual_stack();
    let sidecar = Setup::strict().start(&world);
    for (n, ip) in [NODE_V4, NODE_V6].into_iter().enumerate() {
        let service = SocketAddr::new(ip, 8080);
        let service = world.node.run(|| Http::start_at(service, |_| Script::status(200)));
        let get = request("GET", "/", "");
        assert_eq!(status(&world.pod, service.addr(), &get), Ok(200), "{ip}");
        let counted = || sidecar.stat("listener.outbound.downstream_cx_total");
        until("the connection is counted", || counted() > n as u64);
    }
}

#[test]
fn the_agent_answers_nobody_but_the_sidecar() {
    let world = World::dual_stack();
    let _nginx = Nginx::start(&world);
    let deployment = Deployment::example(HTTP);
    let sidecar = Setup::permissive().variable(deployment.variable()).start(&world);
    let friend = sidecar.authority.client();
    for ip in FAMILIES {
        let to = SocketAddr::new(ip, 15023);
        let get = request("GET", &format!("/tcp/{ip}/{}", Nginx::PORT), "");
        let plain = status(&world.node, to, &get);
        assert!(plain.is_err(), "{plain:?}");
        let mtls = world.node.run(|| friend.exchange(to, &get));
        assert!(mtls.as_ref().map_or(true, String::is_empty), "{mtls:?}");
    }
}
