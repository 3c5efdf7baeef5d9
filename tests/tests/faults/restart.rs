use app_health_tests::app::{Closed, V4};
use app_health_tests::entries::{http, probe};
use app_health_tests::envoy::{Envoy, LIMIT, Setup};
use app_health_tests::kubelet::send_bytes;
use app_health_tests::net;

use super::cost::{Cost, Kubelets};
use super::fleet::{Fleet, gets, is_right, probes};

/// A probe may get no answer then. What it gets is right.
#[test]
fn no_answer_is_wrong_while_envoy_restarts() {
    let (fleet, closed) = (Fleet::well(), Closed::start(V4));
    let port = net::free_port();
    let start = || {
        let entries = fleet.entries().probe("closed", http(closed.addr(), "/"));
        Setup::default().probers(entries).start_on(port)
    };
    let mut envoy = start();
    let mut asked = gets(&envoy);
    asked.push((envoy.get(probe("closed")), 500));
    let (_, wrong) = Kubelets::ask_during(&asked, |kubelets| {
        for _ in 0..3 {
            kubelets.more(5);
            // Killed.
            drop(envoy);
            envoy = start();
            let cost = Cost::until_right(|| is_right(&envoy));
            assert_eq!(cost.lost, 0, "once it is ready");
        }
    });
    let wrong: Vec<_> = wrong.into_iter().filter(|answer| answer.starts_with("Ok")).collect();
    assert_eq!(wrong, [""; 0]);
}

/// As it is told to by what ends a pod.
#[test]
fn while_it_is_drained_envoy_answers_probes() {
    let fleet = Fleet::well();
    let envoy = Setup::default().probers(fleet.entries()).start();
    let (_, wrong) = Kubelets::ask_during(&probes(&envoy), |kubelets| {
        for path in [
            "healthcheck/fail",
            "drain_listeners?inboundonly",
            "drain_listeners?graceful&skip_exit",
        ] {
            kubelets.more(5);
            post(&envoy, path);
            kubelets.more(5);
        }
    });
    assert_eq!(wrong, [""; 0]);
}

fn post(envoy: &Envoy, path: &str) {
    let request = format!(
        "POST /{path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    let answer = send_bytes(envoy.admin(), request.as_bytes(), LIMIT).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{path}: {}", answer.escape_ascii());
}
