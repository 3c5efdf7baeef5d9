use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use app_health_tests::app::Open;
use app_health_tests::mesh::{Deployment, Nginx, Setup, Sidecar, World};

use super::{FAMILIES, HTTP, NOBODY, TCP, eventually, is_sidecars};

const AT_ONCE: usize = 16;
const PROBES: usize = 1000;
/// KiB that may come and go. A byte leaked a probe would not show; a connection's buffers would.
const MEMORY: u64 = 4 << 10;

/// Sends the Deployment's probe `n` times, 16 at once, and gives back the answers that are not as
/// they should be.
fn wrong(world: &World, deployment: &Deployment, ip: IpAddr, n: usize, right: u16) -> Vec<String> {
    let probe = deployment.probe();
    let left = AtomicUsize::new(n);
    let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    let ask = || match probe.answer(ip) {
        Ok(answer) if answer.status == right => None,
        other => Some(format!("{other:?}")),
    };
    let client =
        || world.node.run(|| std::iter::from_fn(|| take().ok()).filter_map(|_| ask()).collect());
    thread::scope(|scope| {
        let clients: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(client)).collect();
        let all = clients.into_iter().map(|client| client.join().expect("no panic"));
        all.collect::<Vec<Vec<_>>>().concat()
    })
}

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors").count()
}

/// Resident, in KiB.
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// A thousand probes over each family: each verdict right, and nothing left of them.
fn check(world: &World, sidecar: &Sidecar, deployment: &Deployment, right: u16) {
    let send = |n| {
        for ip in FAMILIES {
            assert_eq!(wrong(world, deployment, ip, n, right), [""; 0], "{ip}");
        }
    };
    // What a first crowd needs, stays.
    send(PROBES / 5);
    let at_rest = sidecar.pids().map(|pid| (pid, descriptors(pid), memory(pid)));
    send(PROBES);
    for (pid, open, resident) in at_rest {
        eventually("no descriptor is left", || descriptors(pid) <= open);
        let now = memory(pid);
        assert!(now <= resident + MEMORY, "{pid}: from {resident} to {now} KiB");
    }
}

#[test]
fn a_thousand_probes_of_each_kind() {
    let world = World::dual_stack();
    let nginx = Nginx::start(&world);
    let (http, tcp) = (Deployment::example(HTTP, &[]), Deployment::example(TCP, &[]));
    let sidecar = Setup::strict().variable(http.variable()).start(&world);
    check(&world, &sidecar, &http, 200);
    let seen = nginx.seen();
    assert!(seen.len() >= FAMILIES.len() * PROBES, "{} requests", seen.len());
    assert!(seen.iter().all(|line| is_sidecars(line.peer)));
    drop(sidecar);
    drop(nginx);

    let sidecar = Setup::strict().variable(tcp.variable()).start(&world);
    check(&world, &sidecar, &tcp, 500);
    let at = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), NOBODY);
    let open = world.pod.run(|| Open::start_at(at));
    check(&world, &sidecar, &tcp, 200);
    let peers = open.peers();
    assert!(peers.len() >= FAMILIES.len() * PROBES, "{} connections", peers.len());
    assert!(peers.iter().all(|peer| is_sidecars(peer.ip())));
}
