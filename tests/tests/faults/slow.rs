use std::thread;
use std::time::Duration;

use app_health_tests::entries::{Entries, probe, within};
use app_health_tests::envoy::Setup;
use app_health_tests::kubelet::Verdict::{self, Failure, Success};

use super::SECOND;
use super::fleet::{App, KINDS, Kind};

/// A check takes several of them, and far less than ten seconds.
const SHORT: Duration = Duration::from_millis(200);
/// Far more than a second.
const LONG: Duration = Duration::from_secs(5);

/// An app behind a slow proxy, how many seconds its probe may take, and what comes of it.
struct Case {
    app: App,
    timeout: u32,
    verdict: Verdict,
}

impl Case {
    fn of(kind: Kind) -> [Self; 2] {
        let case = |delay, timeout, verdict| Self {
            app: App::behind_relay(kind, delay),
            timeout,
            verdict,
        };
        // A TCP probe ends with the dial, which the proxy accepts at once.
        let (timeout, verdict) = if kind == Kind::Tcp { (10, Success) } else { (1, Failure) };
        [case(SHORT, 10, Success), case(LONG, timeout, verdict)]
    }
}

#[test]
fn a_probe_through_a_slow_proxy_fares_as_directly() {
    let name = |n: usize| format!("c{n}");
    let cases: Vec<_> = KINDS.into_iter().flat_map(Case::of).enumerate().collect();
    let record = |entries: Entries, (n, case): &(usize, Case)| {
        entries.probe(&name(*n), within(case.timeout, case.app.prober()))
    };
    let entries = cases.iter().fold(Entries::default(), record);
    let envoy = Setup::default().probers(entries).start();
    thread::scope(|scope| {
        for (n, Case { app, timeout, verdict }) in &cases {
            let get = envoy.get(probe(&name(*n)));
            scope.spawn(move || {
                let what = format!("{:?}, {timeout} s", app.kind);
                assert_eq!(app.directly(SECOND * *timeout), *verdict, "{what}, directly");
                assert_eq!(Verdict::of(&get.send()), *verdict, "{what}");
            });
        }
    });
}
