use std::collections::BTreeMap;
use std::iter;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use app_health_tests::app::Open;
use app_health_tests::kubelet::Probe;
use app_health_tests::mesh::{AGENT_PORT, Deployment, Nginx, Setup, Sidecar, World};
use app_health_tests::open_files::OpenFiles;
use app_health_tests::poll::until;
use app_health_tests::usage::memory;

use super::probes::{self, App};
use super::{FAMILIES, HTTP, NOBODY, TCP, is_sidecars};

/// Answers, and how often they came.
type Wrong = BTreeMap<String, usize>;

const AT_ONCE: usize = 16;
const PROBES: usize = 1000;
/// MiB that may come and go: a quarter of a KiB for each probe of a round.
const MEMORY: f64 = 0.5;

/// Sends the probe `n` times, 16 at once, and gives back the answers that are not as they should be,
/// and how many there were of each.
fn wrong(world: &World, probe: &Probe, ip: IpAddr, n: usize, right: u16) -> Wrong {
    let left = AtomicUsize::new(n);
    let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    let ask = || match probe.answer(ip) {
        Ok(answer) if answer.status == right => None,
        Ok(answer) => Some(format!("{} {}", answer.status, answer.text())),
        Err(error) => Some(error.to_string()),
    };
    let asked = || iter::from_fn(|| take().ok()).filter_map(|_| ask()).collect::<Vec<_>>();
    thread::scope(|scope| {
        let client = |_| scope.spawn(|| world.node.run(asked));
        let clients: Vec<_> = (0..AT_ONCE).map(client).collect();
        let all = clients.into_iter().flat_map(|client| client.join().expect("no panic"));
        all.fold(Wrong::new(), |mut wrong, answer| {
            *wrong.entry(answer).or_default() += 1;
            wrong
        })
    })
}

/// A thousand probes over each family: each verdict right, and nothing left of them.
fn check(world: &World, sidecar: &Sidecar, probe: &Probe, right: u16) {
    let pids = sidecar.pids();
    let files = |pid| OpenFiles::by(pid, AGENT_PORT);
    let send = |n| {
        for ip in FAMILIES {
            assert_eq!(wrong(world, probe, ip, n, right), Wrong::new(), "{ip}");
        }
        let held = || pids.iter().copied().map(files).collect::<Vec<_>>();
        until("all connections are closed", || held().iter().all(|held| held.connections == 0));
        pids.iter().map(|pid| (files(*pid), memory(*pid))).collect::<Vec<_>>()
    };
    // What a first crowd needs, stays.
    let before = send(PROBES);
    let after = send(PROBES);
    for ((held, resident), (held_now, now)) in before.into_iter().zip(after) {
        assert_eq!(held.others, held_now.others, "descriptors");
        assert!(held_now.to_agent <= AT_ONCE, "{held_now:?}");
        assert!(now <= resident + MEMORY, "from {resident} to {now} MiB");
    }
}

/// At least a thousand over either family, each from where the sidecar asks.
fn assert_all_are_sidecars(peers: &[IpAddr]) {
    assert!(peers.len() >= FAMILIES.len() * PROBES, "{} came", peers.len());
    assert!(peers.iter().copied().all(is_sidecars));
}

#[test]
fn a_thousand_http_probes() {
    let world = World::dual_stack();
    let nginx = Nginx::start(&world);
    let http = Deployment::example(HTTP);
    let sidecar = Setup::strict().variable(http.variable()).start(&world);
    check(&world, &sidecar, &http.probe(), 200);
    let peers = nginx.seen().iter().map(|line| line.peer).collect::<Vec<_>>();
    assert_all_are_sidecars(&peers);
}

#[test]
fn a_thousand_tcp_probes() {
    let world = World::dual_stack();
    let tcp = Deployment::example(TCP);
    let sidecar = Setup::strict().variable(tcp.variable()).start(&world);
    check(&world, &sidecar, &tcp.probe(), 500);
    let at = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), NOBODY);
    let open = world.pod.run(|| Open::start_at(at));
    check(&world, &sidecar, &tcp.probe(), 200);
    // The kernel takes a connection before the app does.
    until("the app has taken them", || open.peers().len() >= FAMILIES.len() * PROBES);
    let peers = open.peers().iter().map(SocketAddr::ip).collect::<Vec<_>>();
    assert_all_are_sidecars(&peers);
}

#[test]
fn a_thousand_grpc_and_https_probes() {
    let world = World::dual_stack();
    let deployment = probes::deployment();
    let sidecar = Setup::strict().variable(deployment.variable()).start(&world);
    for container in ["grpc", "https"] {
        let app = App::start(&world);
        check(&world, &sidecar, &deployment.probe_of(container), 200);
        assert_all_are_sidecars(&app.peers());
    }
}
