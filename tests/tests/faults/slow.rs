use std::thread;
use std::time::Duration;

use app_health_tests::entries::{Entries, probe, within};
use app_health_tests::envoy::Setup;
use app_health_tests::kubelet::Verdict;

use super::SECOND;
use super::fleet::{App, KINDS, Kind, name};

/// A check that succeeds takes several of the short delays, and none that fails is done before the long one.
const DELAYS: [(Duration, Verdict); 2] =
    [(Duration::from_millis(200), Verdict::Success), (Duration::from_secs(5), Verdict::Failure)];

/// A second where the delay is too long. A TCP probe ends with the dial, which the proxy accepts at once.
fn expected(kind: Kind, verdict: Verdict) -> (u32, Verdict) {
    match (kind, verdict) {
        (Kind::Tcp, _) | (_, Verdict::Success) => (10, Verdict::Success),
        _ => (1, verdict),
    }
}

#[test]
fn a_probe_through_a_slow_proxy_fares_as_directly() {
    let of = |kind| DELAYS.map(|(delay, verdict)| (App::behind_relay(kind, delay), verdict));
    let apps: Vec<_> = KINDS.into_iter().flat_map(of).collect();
    let named =
        |(app, verdict): &(App, Verdict)| format!("{}-{verdict:?}", name(app.kind)).to_lowercase();
    let record = |entries: Entries, case: &(App, Verdict)| {
        let (timeout, _) = expected(case.0.kind, case.1);
        entries.probe(&named(case), within(timeout, case.0.prober()))
    };
    let entries = apps.iter().fold(Entries::default(), record);
    let envoy = Setup::default().probers(entries).start();
    thread::scope(|scope| {
        for case in &apps {
            let (timeout, verdict) = expected(case.0.kind, case.1);
            let (envoy, name) = (&envoy, named(case));
            scope.spawn(move || {
                let directly = case.0.directly(SECOND * timeout);
                assert_eq!(directly, verdict, "{name}, directly");
                let through = Verdict::of(&envoy.get(probe(&name)).send());
                assert_eq!(through, directly, "{name}");
            });
        }
    });
    envoy.wait_until_no_app_is_connected();
}
