use std::fs;

use app_health_tests::entries::probe;
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::kubelet::Answer;
use app_health_tests::poll::until;

use super::cost::Cost;
use super::fleet::{Fleet, Kind, is_right, name};
use super::{SECOND, limit, word};

/// Enough for Envoy and the agent here.
const MANY: &str = "nofile=1000:";
/// Those of stdio. None of those that come later has such a number.
const NONE: &str = "nofile=3:";

fn ask(envoy: &Envoy, kind: Kind) -> Answer {
    envoy.get(probe(&name(kind))).send().expect("an answer")
}

fn start(fleet: &Fleet) -> Envoy {
    let envoy = Setup::default().probers(fleet.entries()).start();
    assert!(is_right(&envoy));
    envoy
}

#[test]
fn envoy_has_none_left() {
    let fleet = Fleet::well();
    let envoy = start(&fleet);
    for kind in [Kind::Http, Kind::Grpc] {
        until("there is one for the kubelet's connection, and none for the app's", || {
            limit(envoy.process(), &format!("nofile={}:", lowest_free(&envoy) + 1));
            let answer = envoy.get(probe(&name(kind))).timeout(SECOND).send();
            limit(envoy.process(), MANY);
            let Ok(answer) = answer else { return false };
            // One that an earlier connection had may have become free meanwhile.
            assert!(answer.status == 200 || word(&answer) == "proxy", "{}", answer.text());
            answer.text().contains("socket creation failure")
        });
    }
    let cost = Cost::until_right(|| is_right(&envoy));
    assert_eq!(cost.lost, 0);
    cost.report("Envoy has a descriptor for the kubelet's connection only");
    // Where there is none at all, the connection waits in the kernel.
    limit(envoy.process(), NONE);
    let waits = envoy.get(probe("http")).timeout(SECOND);
    assert!(waits.status().is_err());
    limit(envoy.process(), MANY);
    let cost = Cost::until_right(|| is_right(&envoy));
    assert_eq!(cost.lost, 0);
    cost.report("Envoy has no descriptor");
}

/// The number that the next one will have.
fn lowest_free(envoy: &Envoy) -> usize {
    let of = |n: &usize| format!("/proc/{}/fd/{n}", envoy.process().id());
    (0..).find(|n| fs::symlink_metadata(of(n)).is_err()).expect("a number")
}

#[test]
fn the_agent_has_none_left() {
    let fleet = Fleet::well();
    let envoy = start(&fleet);
    // Envoy's connection to it stays.
    limit(envoy.agent(), NONE);
    for n in 0..3 {
        let answer = ask(&envoy, Kind::Tcp);
        assert_eq!((answer.status, word(&answer)), (500, "agent"), "{n}: {}", answer.text());
        assert_eq!(ask(&envoy, Kind::Http).status, 200, "{n}");
    }
    limit(envoy.agent(), MANY);
    let cost = Cost::until_right(|| is_right(&envoy));
    assert_eq!(cost.lost, 0);
    cost.report("the agent has no descriptor");
}
