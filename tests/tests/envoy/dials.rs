use app_health_tests::app::{Alpn, Changing, Conduct, Health, Http, Script, V4};
use app_health_tests::entries::{self, Entries, http, https, probe, tcp, within};
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::health::ServingStatus::Serving;
use app_health_webhook::probers::Prober;

use super::expected::Expected::{App, Reason};
use super::expected::{check, envoy};

/// The kubelet dials anew each time, so that a connection on which an app hangs is one probe's alone.
#[test]
fn a_handshake_that_never_comes_is_one_probes_alone() {
    let mut app = Changing::start(V4);
    let hangs = within(1, https(app.addr(), "/"));
    let entries = Entries::default().probe("hangs", hangs).probe("c", https(app.addr(), "/"));
    // Half a minute would be long for a test. It is more than the probe's ten seconds.
    let sooner = |config: &str| config.replace("connect_timeout: 30s", "connect_timeout: 12s");
    let envoy = Setup::default().probers(entries.patient()).edited(sooner).start();
    app.open(Conduct::AtOnce(Script::default().hold()));
    check([("hangs", envoy.get(probe("hangs")), Reason(504, "timeout"))]);
    app.open(Conduct::Asked(Script::status(200)).over_tls(Alpn::Http1));
    for n in 0..3 {
        check([(n, envoy.get(probe("c")), App(200))]);
    }
    // What the app holds is given up in the end.
    envoy.wait_until_no_app_is_connected();
}

/// Probes of a second each. Linux repeats a dial after 1, 2, 3, 4, 5, 7 and 11 seconds: where that of
/// the first probe went on, those of seconds 8 to 11 would wait for it.
const WHILE_FULL: usize = 8;

fn full_for_a_while(setup: Setup, entry: impl Fn(&Changing) -> Prober, well: Conduct) {
    let mut app = Changing::start(V4);
    app.fill();
    let envoy = setup.probers(Entries::default().probe("c", entry(&app))).start();
    for _ in 0..WHILE_FULL {
        let answer = envoy.get(probe("c")).send().expect("an answer");
        assert!(answer.status >= 500, "{}", answer.status);
    }
    app.open(well);
    assert_is_well_again(&envoy);
    envoy.wait_until_no_app_is_connected();
}

#[test]
fn http_after_a_full_queue() {
    let well = Conduct::Asked(Script::status(200));
    full_for_a_while(Setup::default(), |app| http(app.addr(), "/"), well);
}

#[test]
fn https_after_a_full_queue() {
    let well = Conduct::Asked(Script::status(200)).over_tls(Alpn::Http1);
    full_for_a_while(Setup::default(), |app| https(app.addr(), "/"), well);
}

#[test]
fn grpc_after_a_full_queue() {
    let well = Conduct::Grpc(Health::Says(Serving));
    full_for_a_while(Setup::default(), |app| entries::grpc(app.addr(), None), well);
}

#[test]
fn tcp_after_a_full_queue_with_an_agent_and_without() {
    for setup in [Setup::default(), Setup::default().without_agent()] {
        full_for_a_while(setup, |app| tcp(app.addr()), Conduct::AtOnce(Script::default().hold()));
    }
}

#[test]
fn a_later_hop_after_a_full_queue() {
    let mut app = Changing::start(V4);
    app.fill();
    let to = format!("http://{}/", app.addr());
    let first = Http::start(V4, move |_| Script::redirect(302, &to));
    let envoy = envoy(Entries::default().probe("c", within(1, http(first.addr(), "/"))));
    for n in 0..WHILE_FULL {
        check([(n, envoy.get(probe("c")), Reason(504, "timeout"))]);
    }
    app.open(Conduct::Asked(Script::status(200)));
    assert_is_well_again(&envoy);
}

/// The first may have been begun while the queue was full. Of the next three, two would fail where
/// they waited for an old dial; one may be late on a busy machine.
fn assert_is_well_again(envoy: &Envoy) {
    let statuses: Vec<_> = (0..4).map(|_| envoy.get(probe("c")).status()).collect();
    let well = statuses[1..].iter().filter(|status| **status == Ok(200)).count();
    assert!(well >= 2, "{statuses:?}");
}

/// Without a handshake it would have been refused, so the port accepts.
#[test]
fn a_connection_that_is_reset_at_once_was_made() {
    let app = Http::at_accept(V4, Script::close().reset());
    for setup in [Setup::default(), Setup::default().without_agent()] {
        let entries = Entries::default().probe("c", tcp(app.addr())).patient();
        let envoy = setup.probers(entries).start();
        check((0..500).map(|n| (n, envoy.get(probe("c")), App(200))));
    }
}
