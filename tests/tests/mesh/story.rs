use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddr};

use app_health_tests::app::Open;
use app_health_tests::envoy::{dials, find};
use app_health_tests::kubelet::Verdict::{Failure, Success};
use app_health_tests::mesh::{Deployment, Nginx, Setup, World};

use super::{FAMILIES, HTTP, NOBODY, OFF, TCP};
use super::{
    assert_probes_are_no_traffic, http, is_sidecars, original, status, until, verdict,
    without_annotation,
};

const PAGE: &str = "Welcome to nginx!";

fn listening(world: &World, port: u16) -> Open {
    world.pod.run(|| Open::start_at(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)))
}

#[test]
fn s1_without_a_sidecar_the_probes_say_how_the_app_is() {
    let world = World::dual_stack();
    let _nginx = Nginx::start(&world);
    for ip in FAMILIES {
        assert_eq!(verdict(&world, &original(HTTP), ip), Success, "{ip}");
        assert_eq!(verdict(&world, &original(TCP), ip), Failure, "{ip}");
    }
}

#[test]
fn s2_strict_mtls_breaks_http_and_hides_a_closed_port() {
    let world = World::dual_stack();
    let nginx = Nginx::start(&world);
    let sidecar = Setup::strict().start(&world);
    let friend = sidecar.authority.client();
    for ip in FAMILIES {
        let error = http(&world, &original(HTTP), ip).expect_err("a plain connection");
        let closed = [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof];
        assert!(closed.contains(&error.kind()), "{ip}: {error}");
        assert_eq!(verdict(&world, &original(TCP), ip), Success, "{ip}");
        let get = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        let page = world.node.run(|| friend.exchange(SocketAddr::new(ip, Nginx::PORT), get));
        assert!(page.as_ref().is_ok_and(|page| page.contains(PAGE)), "{ip}: {page:?}");
    }
    let peers = nginx.seen().into_iter().map(|line| line.peer).collect::<Vec<_>>();
    assert!(peers.len() == 2 && peers.iter().copied().all(is_sidecars), "{peers:?}");
}

#[test]
fn s3_a_permissive_listener_still_hides_a_closed_port() {
    let world = World::dual_stack();
    let _nginx = Nginx::start(&world);
    let _sidecar = Setup::permissive().start(&world);
    for ip in FAMILIES {
        assert_eq!(status(&world, &original(HTTP), ip), Ok(200), "{ip}");
        assert_eq!(verdict(&world, &original(TCP), ip), Success, "{ip}");
    }
}

#[test]
fn s4_a_rewritten_http_probe_says_how_the_app_is() {
    let world = World::dual_stack();
    let nginx = Nginx::start(&world);
    let deployment = Deployment::example(HTTP);
    let sidecar = Setup::strict().variable(deployment.variable()).start(&world);
    for (n, ip) in FAMILIES.into_iter().enumerate() {
        assert_eq!(status(&world, &deployment, ip), Ok(200), "{ip}");
        let seen = nginx.seen();
        assert_eq!(seen.len(), n + 1, "{seen:?}");
        let line = &seen[n];
        assert!(is_sidecars(line.peer), "{line:?}");
        // The kubelet asked for ip:15020; the app sees its own port.
        assert_eq!(line.host, SocketAddr::new(ip, Nginx::PORT).to_string(), "{line:?}");
        assert_eq!(line.custom_header, "hello");
        assert_eq!(line.user_agent, "kube-probe/1.37");
        assert_eq!(line.request, "GET /index.html HTTP/1.1");
    }
    assert_probes_are_no_traffic(&world, &sidecar);
    drop(nginx);
    for ip in FAMILIES {
        assert_eq!(status(&world, &deployment, ip), Ok(500), "{ip}");
        assert_eq!(verdict(&world, &deployment, ip), Failure, "{ip}");
    }
}

#[test]
fn s4_a_rewritten_tcp_probe_says_whether_the_port_is_open() {
    says_whether_the_port_is_open(Setup::strict());
}

#[test]
fn s4_a_rewritten_tcp_probe_says_it_without_an_agent() {
    says_whether_the_port_is_open(Setup::strict().without_agent());
}

fn says_whether_the_port_is_open(setup: Setup<'_>) {
    let world = World::dual_stack();
    let _nginx = Nginx::start(&world);
    let deployment = Deployment::example(TCP);
    let sidecar = setup.variable(deployment.variable()).start(&world);
    for ip in FAMILIES {
        assert_eq!(status(&world, &deployment, ip), Ok(500), "{ip}");
        assert_eq!(verdict(&world, &deployment, ip), Failure, "{ip}");
    }
    let open = listening(&world, NOBODY);
    for ip in FAMILIES {
        assert_eq!(status(&world, &deployment, ip), Ok(200), "{ip}");
    }
    // The kernel takes a connection before the app does.
    until("the app has taken both", || open.peers().len() >= 2);
    let peers = open.peers();
    assert!(
        (2..=2 * dials(&find())).contains(&peers.len())
            && peers.iter().all(|peer| is_sidecars(peer.ip())),
        "{peers:?}"
    );
    assert_probes_are_no_traffic(&world, &sidecar);
    drop(open);
    for ip in FAMILIES {
        assert_eq!(status(&world, &deployment, ip), Ok(500), "{ip}");
    }
}

#[test]
fn s5_switched_off_all_is_as_without_a_rewrite() {
    let annotation = "sidecar.istio.io/rewriteAppHTTPProbers: \"true\"";
    let off = |file: &str| {
        let text = Deployment::patient_text(file);
        assert!(text.contains(annotation));
        text.replace(annotation, &annotation.replace("true", "false"))
    };
    let by_default = |file: &str| Deployment::of(&without_annotation(file), OFF);
    let by_annotation = |file: &str| Deployment::of(&off(file), &[]);
    let world = World::dual_stack();
    let _nginx = Nginx::start(&world);
    let _sidecar = Setup::strict().start(&world);
    for of in [&by_default as &dyn Fn(&str) -> Deployment, &by_annotation] {
        assert_eq!([of(HTTP).variable(), of(TCP).variable()], [None, None]);
        for ip in FAMILIES {
            assert_eq!(verdict(&world, &of(HTTP), ip), Failure, "{ip}");
            assert_eq!(verdict(&world, &of(TCP), ip), Success, "{ip}");
        }
    }
}

#[test]
fn s5_the_annotation_on_the_deployment_itself_changes_nothing() {
    let annotated = |file: &str| {
        let text = without_annotation(file);
        let (before, after) = text.split_once("metadata:\n").expect("metadata");
        let annotations = "  annotations:\n    sidecar.istio.io/rewriteAppHTTPProbers: \"false\"\n";
        Deployment::of(&format!("{before}metadata:\n{annotations}{after}"), &[])
    };
    let world = World::dual_stack();
    let _nginx = Nginx::start(&world);
    for (file, expected) in [(HTTP, 200), (TCP, 500)] {
        let deployment = annotated(file);
        let _sidecar = Setup::strict().variable(deployment.variable()).start(&world);
        for ip in FAMILIES {
            assert_eq!(status(&world, &deployment, ip), Ok(expected), "{file} {ip}");
        }
    }
}
