use std::ffi::OsString;
use std::net::SocketAddr;

use app_health_tests::app::{Open, V4, V6};
use app_health_tests::entries::probe;
use app_health_tests::mesh::{NODE_V4, Setup, World};

use super::FAMILIES;
use crate::envoy::destination::{Apps, leads_nowhere, nobody_came};

/// Asked from the node and from within the pod, about a server of either. Says how often the app and pilot-agent
/// were probed meanwhile.
fn all_lead_nowhere(setup: impl FnOnce(Setup) -> Setup) -> [usize; 2] {
    let world = World::dual_stack();
    let apps = world.pod.run(Apps::start);
    let variable = OsString::from(apps.entries()).into_string().expect("text");
    let sidecar = setup(Setup::strict().variable(Some(&variable))).start(&world);
    let status_ports = FAMILIES.map(|ip| (&world.node, ip)).into_iter().chain([(&world.pod, V4)]);
    for (whose, ip) in [(&world.node, NODE_V4), (&world.pod, V6)] {
        let elsewhere = whose.run(|| Open::start(ip));
        for (from, to) in status_ports.clone() {
            from.run(|| leads_nowhere(SocketAddr::new(to, 15020), &elsewhere));
        }
        whose.run(|| nobody_came(&elsewhere));
    }
    [apps.http.seen().len(), sidecar.pilot_agent.seen_at(&probe("http")).len()]
}

#[test]
fn with_the_filter() {
    let [app, pilot_agent] = all_lead_nowhere(|setup| setup);
    assert!(app > 0 && pilot_agent == 0, "{app} {pilot_agent}");
}

#[test]
fn where_pilot_agent_answers() {
    let [app, pilot_agent] = all_lead_nowhere(|setup| setup.without_extension());
    assert!(app == 0 && pilot_agent > 0, "{app} {pilot_agent}");
}
