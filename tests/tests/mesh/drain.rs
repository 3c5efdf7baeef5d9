use app_health_tests::app::V4;
use app_health_tests::mesh::{Deployment, EnvoyFilter, Nginx, Setup, World};
use app_health_tests::poll::until;

use super::{FAMILIES, HTTP, accepts, ports, status};

/// Drains the inbound listeners, waits until nobody gets in any more, and says whether the probes
/// are still answered, over IPv4 and IPv6.
fn are_answered_after(drain: &str, filter: EnvoyFilter) -> [bool; 2] {
    let world = World::dual_stack();
    let _nginx = Nginx::start(&world);
    let deployment = Deployment::example(HTTP);
    let setup = Setup::strict().variable(deployment.variable());
    let _sidecar = setup.filter(filter).start(&world);
    let well = || FAMILIES.map(|ip| status(&world, &deployment, ip) == Ok(200));
    assert_eq!(well(), [true; 2]);
    let post = ports::request("POST", &format!("/drain_listeners?{drain}"), "");
    assert_eq!(ports::status(&world.pod, (V4, 15000).into(), &post), Ok(200), "{drain}");
    for ip in FAMILIES {
        until("inbound is drained", || !accepts(&world, ip, Nginx::PORT));
    }
    well()
}

#[test]
fn probes_outlive_the_inbound_listeners() {
    for drain in ["inboundonly", "graceful&inboundonly"] {
        assert_eq!(are_answered_after(drain, EnvoyFilter::shipped()), [true; 2], "{drain}");
    }
    // Which is what the listener has no traffic_direction for.
    let mut filter = EnvoyFilter::shipped();
    let listener = &mut filter.0["spec"]["configPatches"][0]["patch"]["value"];
    assert_eq!(listener["name"], "app_health");
    listener["traffic_direction"] = "INBOUND".into();
    assert_eq!(are_answered_after("inboundonly", filter), [false; 2]);
}
