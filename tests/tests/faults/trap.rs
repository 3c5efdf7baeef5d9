use std::fs;
use std::time::Duration;

use app_health_tests::app::{Grpc, Health, Http, Open, Script, V4};
use app_health_tests::entries::{grpc, http, probe};
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::poll::until;
use app_health_tests::wasm;

use super::cost::{Cost, PAUSE};
use super::fleet::{Fleet, gets, is_right};
use super::trapping;
use crate::envoy::destination::{leads_nowhere, nobody_came};

/// The mark is 200 ms. It is counted, since a busy machine asks more rarely.
const MOST: usize = 200 / PAUSE.as_millis() as usize;

/// An Envoy whose VM traps where it sees many headers: those of a probe, of the answer of the app `long`, or
/// of a later hop to that.
struct Trapping {
    envoy: Envoy,
    _fleet: Fleet,
    _apps: Vec<Http>,
    _grpc: Grpc,
}

impl Trapping {
    fn start(workers: u32) -> Self {
        Self::with_backoff(workers, "0.05s")
    }

    /// A VM is made anew so long after the one before, at the soonest, and up to a half more.
    fn with_backoff(workers: u32, backoff: &'static str) -> Self {
        let headers = "X: y\r\n".repeat(trapping::HEADERS.into());
        let long = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 0\r\n\r\n");
        let long = Http::start(V4, move |_| Script::raw(long.as_str()));
        let to = format!("http://{}/", long.addr());
        let hop = Http::start(V4, move |_| Script::redirect(302, &to));
        let late = Http::start(V4, |_| Script::default().wait(LATE).and(Script::status(200)));
        let late_grpc = Grpc::start(V4, Health::Late(LATE));
        let fleet = Fleet::well();
        let entries = fleet.entries();
        let entries = entries.probe("long", http(long.addr(), "/"));
        let entries = entries.probe("long-hop", http(hop.addr(), "/"));
        let entries = entries.probe("late", http(late.addr(), "/")).patient();
        let entries = entries.probe("late-grpc", grpc(late_grpc.addr(), None));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("trapping.wasm");
        fs::write(&file, trapping::module()).expect("the file is written");
        let [shipped, file] = [wasm::filter(), &file].map(|path| path.display().to_string());
        let interval = |time| format!("base_interval: {time}}}");
        let edit = move |config: &str| {
            config.replace(&shipped, &file).replace(&interval("0.05s"), &interval(backoff))
        };
        let setup = Setup::default().probers(entries).edited(edit);
        let envoy = setup.concurrency(workers).start();
        Self { envoy, _fleet: fleet, _apps: vec![long, hop, late], _grpc: late_grpc }
    }

    /// As no kubelet sends it: with so many headers that the VM traps.
    fn trap(&self) {
        let traps = self.traps();
        let names = (0..trapping::HEADERS).map(|n| format!("X-{n}"));
        let get = names.fold(self.envoy.get(probe("http")), |get, name| get.header(&name, "y"));
        // The second one where a VM is being made anew.
        assert_eq!(get.status(), Ok(503));
        assert!(self.traps() <= traps + 1);
    }

    /// How often a VM has trapped.
    fn traps(&self) -> usize {
        self.envoy.log().matches("RuntimeError: unreachable").count()
    }

    fn until_right(&self) -> Cost {
        Cost::until_right(|| is_right(&self.envoy))
    }
}

/// Longer than it takes until two probes are under way.
const LATE: Duration = Duration::from_secs(3);

fn a_trap_costs_one_probe(workers: u32) {
    let trapping = Trapping::start(workers);
    // A VM is made anew 75 ms after the one before, at the soonest. All are older than that now.
    trapping.until_right();
    let get = |name| trapping.envoy.get(probe(name));
    let traps: [&dyn Fn(); 3] = [
        &|| trapping.trap(),
        &|| assert_eq!(get("long").status(), Ok(503)),
        // Envoy says nothing any more: the kubelet's own timeout ends that.
        &|| assert!(get("long-hop").timeout(Duration::from_secs(1)).status().is_err()),
    ];
    for (trap, n) in traps.into_iter().zip(1..) {
        trap();
        assert_eq!(trapping.traps(), n);
        let cost = trapping.until_right();
        assert_eq!(cost.lost, 0, "after trap {n}, besides the probe that trapped: {cost:?}");
    }
    // Where one follows another, the VM is down for a while.
    let mut worst = Cost::default();
    for _ in 0..5 {
        trapping.trap();
        trapping.trap();
        worst = trapping.until_right().max(worst);
    }
    assert!(worst.lost <= MOST, "{worst:?}");
    worst.report(format_args!("the VM traps twice in a row, {workers} workers"));
}

#[test]
fn a_trap_costs_one_probe_of_one_worker() {
    a_trap_costs_one_probe(1);
}

#[test]
fn a_trap_costs_one_probe_of_two_workers() {
    a_trap_costs_one_probe(2);
}

/// Those that are under way fail, whatever their apps say then, and nothing is left of them.
#[test]
fn probes_that_are_under_way_fail_with_the_vm() {
    let trapping = Trapping::start(1);
    let vms = || trapping.envoy.stat("wasm.envoy.wasm.runtime.v8.active");
    let before = vms();
    let begun = || trapping.envoy.stat("http.app_health.downstream_rq_active") >= 2;
    std::thread::scope(|scope| {
        for name in ["late", "late-grpc"] {
            let get = trapping.envoy.get(probe(name));
            scope.spawn(move || assert_ne!(get.status(), Ok(200), "{name}"));
        }
        until("both are under way", begun);
        trapping.trap();
        trapping.until_right();
    });
    until("no VM is left", || vms() == before);
}

/// Envoy answers each request itself then, and nothing that a client sends chooses a destination.
#[test]
fn while_the_vm_is_down_no_request_leads_elsewhere() {
    let trapping = Trapping::with_backoff(1, "3600s");
    trapping.trap();
    let elsewhere = Open::start(V4);
    let is_down = || gets(&trapping.envoy).iter().all(|(get, _)| get.status() == Ok(503));
    assert!(is_down());
    leads_nowhere(trapping.envoy.addr(), &elsewhere);
    nobody_came(&elsewhere);
    assert!(is_down());
}
