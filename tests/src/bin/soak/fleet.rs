//! The containers of the pod, as people set up their probes.

use std::time::Duration;

use app_health_tests::entries::Entries;
use app_health_webhook::path::ProbeKind;
use fastrand::Rng;

use crate::app::App;
use crate::container::{Container, Probe};
use crate::network::Network;
use crate::state::AppKind;
use crate::threshold::Thresholds;

/// Of twenty containers.
const KINDS: [AppKind; 20] = [
    AppKind::Http,
    AppKind::Tcp,
    AppKind::Grpc,
    AppKind::Https,
    AppKind::Hop,
    AppKind::Http,
    AppKind::HttpsH2,
    AppKind::Tcp,
    AppKind::GrpcTls,
    AppKind::Http,
    AppKind::Http2,
    AppKind::Grpc,
    AppKind::HopTls,
    AppKind::Http,
    AppKind::Tcp,
    AppKind::Https,
    AppKind::HttpsH2,
    AppKind::Hop,
    AppKind::Http,
    AppKind::Grpc,
];
/// In seconds: most have the kubelet's default, or shorter ones.
const PERIODS: [u64; 16] = [1, 2, 2, 3, 5, 5, 5, 10, 10, 10, 10, 10, 10, 15, 20, 30];
const TIMEOUTS: [u32; 10] = [1, 1, 1, 1, 1, 2, 2, 3, 5, 10];
const STARTUP_PERIODS: [u64; 4] = [1, 1, 2, 5];

/// Apps take turns with the addresses of the pod.
pub fn fleet(number: u32, network: &Network, rng: &mut Rng) -> Vec<Container> {
    let kinds = KINDS.into_iter().cycle().zip(0..number);
    let ips = network.pod_ips();
    kinds
        .map(|(kind, n)| {
            // Within each twenty the first half of a kind is not all of one family.
            let ip = ips[((n + n / 20) % 2) as usize];
            let app = network.in_pod(|| App::new(kind, *pick(rng, &TIMEOUTS), ip));
            Container::new(format!("{}-{n}", kind.name()), app, probes(rng), hooks(kind, rng))
        })
        .collect()
}

/// Each has a readiness probe, most a liveness probe, some a startup probe.
fn probes(rng: &mut Rng) -> Vec<Probe> {
    let thresholds = Thresholds { failure: rng.u32(1..=3), success: rng.u32(1..=2) };
    let readiness = probe(ProbeKind::Readiness, *pick(rng, &PERIODS), thresholds);
    let thresholds = Thresholds { failure: rng.u32(2..=4), success: 1 };
    let liveness = probe(ProbeKind::Liveness, *pick(rng, &PERIODS), thresholds);
    let thresholds = Thresholds { failure: 30, success: 1 };
    let startup = probe(ProbeKind::Startup, *pick(rng, &STARTUP_PERIODS), thresholds);
    let mut probes = vec![readiness];
    probes.extend((rng.u8(..10) < 7).then_some(liveness));
    probes.extend((rng.u8(..10) < 3).then_some(startup));
    probes
}

fn probe(kind: ProbeKind, period: u64, thresholds: Thresholds) -> Probe {
    Probe { kind, period: Duration::from_secs(period), thresholds }
}

/// The kubelet makes none over HTTP/2 or gRPC, and fails those over TCP; a later hop of one may outlive it by
/// an hour.
fn hooks(kind: AppKind, rng: &mut Rng) -> Vec<ProbeKind> {
    let mut hooks = vec![ProbeKind::PostStart, ProbeKind::PreStop];
    hooks.retain(|_| matches!(kind, AppKind::Http | AppKind::Https) && rng.bool());
    hooks
}

fn pick<'a, T>(rng: &mut Rng, values: &'a [T]) -> &'a T {
    &values[rng.usize(..values.len())]
}

/// What the variable holds.
pub fn entries(fleet: &[Container]) -> Entries {
    fleet.iter().fold(Entries::default(), |entries, container| {
        let Container { name, app, .. } = container;
        let probes = container.probes.iter().map(|probe| (probe.kind, app.prober()));
        let hooks = container.hooks.iter().map(|hook| (*hook, app.hook()));
        probes.chain(hooks).fold(entries, |entries, (kind, prober)| entries.of(name, kind, prober))
    })
}
