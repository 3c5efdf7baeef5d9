use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use app_health_tests::entries::{Entries, probe, within};
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::kubelet::Verdict;
use app_health_tests::{net, process};

use super::SECOND;
use super::fleet::{App, KINDS, Kind, name};

const LONG: Duration = Duration::from_secs(10);
/// Two in a row: the second rule sees what the first one has let through.
const DIALS: [&str; 2] = ["--syn --dport"; 2];
/// To a port and from it: behind the dial, and the dial's answer.
const BOTH_WAYS: [&str; 2] = ["! --syn --dport", "! --syn --sport"];
/// More than a probe's connection has, either way, before all that matters has come.
const PACKETS: usize = 5;

/// In the network that the thread is in.
fn iptables(arguments: &str) -> String {
    let mut command = process::command("iptables");
    process::run(command.arg("--wait").args(arguments.split(' ')), "").succeeded()
}

/// While `work` is done, of the packets of each kind the one of this number is lost, and no other. Says how
/// many were.
fn losing<T>(port: u16, kinds: &[&str; 2], number: usize, work: impl FnOnce() -> T) -> (T, usize) {
    let nth = format!("-m statistic --mode nth --every {} --packet {number}", i32::MAX);
    let change = |how: &str| {
        for kind in kinds {
            iptables(&format!("{how} INPUT -p tcp {kind} {port} {nth} -j DROP"));
        }
    };
    change("-A");
    let outcome = work();
    let rules = iptables("-nvxL INPUT");
    change("-D");
    let rules = rules.lines().filter(|rule| rule.contains(&format!("pt:{port} ")));
    let lost = |rule: &str| rule.split_whitespace().next()?.parse::<usize>().ok();
    (outcome, rules.filter_map(lost).sum())
}

fn through(envoy: &Envoy, container: &str) -> Verdict {
    Verdict::of(&envoy.get(probe(container)).send())
}

/// Runs it for an app of each kind at once, in a network of their own.
fn for_each_kind(check: impl Fn(&App, &Envoy) + Sync) {
    net::enter_pod_network();
    let apps = KINDS.map(App::well);
    let record = |entries: Entries, app: &App| {
        let (name, short) = (name(app.kind), within(1, app.prober()));
        entries.probe(&name, app.prober()).probe(&format!("{name}-short"), short)
    };
    let entries = apps.iter().fold(Entries::default(), record).patient();
    let envoy = Setup::default().probers(entries).start();
    thread::scope(|scope| {
        for app in &apps {
            scope.spawn(|| check(app, &envoy));
        }
    });
    envoy.wait_until_no_app_is_connected();
}

/// Linux dials again after a second and after two: too late for a probe of a second, and not for one of ten.
/// What Envoy dispatches is dialled anew sooner, which is a known difference: it may succeed where the kubelet fails,
/// and never the other way round.
#[test]
fn a_dial_that_is_lost_twice() {
    for_each_kind(|app, envoy| {
        let port = app.port.addr().port();
        let is_dispatched = matches!(app.kind, Kind::Grpc | Kind::GrpcTls | Kind::Hop);
        let (long, short) = (name(app.kind), format!("{}-short", name(app.kind)));
        for (container, timeout, verdict) in
            [(short, SECOND, Verdict::Failure), (long, LONG, Verdict::Success)]
        {
            let (directly, lost) = losing(port, &DIALS, 0, || app.directly(timeout));
            assert_eq!((directly, lost > 0), (verdict, true), "{container}, directly");
            let (came, lost) = losing(port, &DIALS, 0, || through(envoy, &container));
            let is_better = is_dispatched && came == Verdict::Success;
            assert!(came == verdict || is_better, "{container}: {came:?}");
            assert!(lost > 0, "{container}");
        }
    });
}

#[test]
fn a_packet_that_is_lost() {
    let lost = AtomicUsize::new(0);
    for_each_kind(|app, envoy| {
        let (kind, port) = (name(app.kind), app.port.addr().port());
        for number in 0..PACKETS {
            let directly = losing(port, &BOTH_WAYS, number, || app.directly(LONG));
            let came = losing(port, &BOTH_WAYS, number, || through(envoy, &kind));
            for (how, (verdict, packets)) in [("directly", directly), ("through Envoy", came)] {
                assert_eq!(verdict, Verdict::Success, "{kind}, packet {number}, {how}");
                lost.fetch_add(packets, Ordering::Relaxed);
            }
        }
    });
    let lost = lost.into_inner();
    assert!(lost > KINDS.len() * PACKETS, "only {lost} were lost: that was no test");
}

/// Between kubelet and Envoy, as between kubelet and app.
#[test]
fn what_the_kubelet_loses() {
    net::enter_pod_network();
    let app = App::well(Kind::Http);
    let entries = Entries::default().probe("app", app.prober()).patient();
    let envoy = Setup::default().probers(entries).start();
    let (status_port, port) = (envoy.addr().port(), app.port.addr().port());
    let through = |timeout| Verdict::of(&envoy.get(probe("app")).timeout(timeout).send());
    for (timeout, verdict) in [(SECOND, Verdict::Failure), (LONG, Verdict::Success)] {
        let (directly, lost) = losing(port, &DIALS, 0, || app.directly(timeout));
        assert_eq!((directly, lost > 0), (verdict, true), "{timeout:?}, directly");
        let (came, lost) = losing(status_port, &DIALS, 0, || through(timeout));
        assert_eq!((came, lost > 0), (verdict, true), "{timeout:?}");
    }
    let lose = |number| losing(status_port, &BOTH_WAYS, number, || through(LONG));
    let outcomes: Vec<_> = (0..PACKETS).map(lose).collect();
    assert!(outcomes.iter().all(|(came, _)| *came == Verdict::Success), "{outcomes:?}");
    // The first two that either side sends come in any case.
    assert!(outcomes[..2].iter().all(|(_, lost)| *lost == 2), "{outcomes:?}");
}
