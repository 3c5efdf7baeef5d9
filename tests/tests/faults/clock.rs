use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use app_health_tests::app::{Changing, Http, Script, V4};
use app_health_tests::entries::{http, probe, tcp, within};
use app_health_tests::envoy::{Envoy, LIMIT, Setup};
use app_health_tests::kubelet::Get;
use app_health_tests::poll::until;
use app_health_tests::process;

use super::cost::Cost;
use super::fleet::{Fleet, is_right};
use super::{SECOND, word};

const DAY: i64 = 24 * 3600;

/// Builds what lets a program's time of day jump.
fn build(library: &Path) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/clock.c");
    // The one that cargo links with.
    let mut command = process::command("cc");
    command.args(["-shared", "-fPIC", "-o"]).arg(library).arg(source);
    process::run(&mut command, "").succeeded();
}

/// The day that it is for Envoy, and for the agent.
fn dates(envoy: &Envoy) -> [String; 2] {
    [Get::probe(envoy.admin(), "/ready"), Get::probe(envoy.agent_addr(), "/")].map(|get| {
        let answer = get.timeout(LIMIT).send().expect("an answer");
        answer.header("date").expect("a date").chars().take("Fri, 27 Nov 2026".len()).collect()
    })
}

/// How many requests it has sent by HTTP, and to the agent.
fn asked(envoy: &Envoy) -> u64 {
    let of = |cluster| envoy.stat(&format!("cluster.{cluster}.upstream_rq_total"));
    of("app_http") + of("app_health_agent")
}

#[test]
fn the_time_of_day_jumps_and_no_timeout_changes() {
    let fleet = Fleet::well();
    let well = Http::start(V4, |_| Script::status(200));
    let to = format!("http://{}/", well.addr());
    // What is left of its time counts after the jump.
    let redirects = Script::default().wait(SECOND).and(Script::redirect(302, &to));
    let late = Http::start(V4, move |_| redirects.clone());
    let never = Http::start(V4, |_| Script::default().hold());
    let entries = fleet.entries().probe("late", http(late.addr(), "/")).patient();
    let mut full = Changing::start(V4);
    full.fill();
    let entries = entries.probe("never", within(3, http(never.addr(), "/")));
    let entries = entries.probe("full", within(3, tcp(full.addr())));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [library, file] = ["clock.so", "offset"].map(|name| folder.path().join(name));
    build(&library);
    let offset = File::create(&file).expect("a file");
    let set = |seconds: i64| offset.write_all_at(&seconds.to_ne_bytes(), 0).expect("it is set");
    set(0);
    let variables = [("LD_PRELOAD", library), ("CLOCK_OFFSET", file)];
    let envoy = Setup::default().probers(entries).variables(variables).start();
    let mut worst = Cost::default();
    for days in [1, 2, -3] {
        let (before, already) = (dates(&envoy), asked(&envoy));
        thread::scope(|scope| {
            let get = envoy.get(probe("late"));
            let late = scope.spawn(move || get.status());
            for (name, status) in [("never", 504), ("full", 500)] {
                let get = envoy.get(probe(name));
                scope.spawn(move || assert_cut_off(&get, status));
            }
            until("all are asked", || asked(&envoy) >= already + 3);
            set(days * DAY);
            until("it is another day", || {
                let now = dates(&envoy);
                // hyper, which the agent has, lets no date go back.
                now[0] != before[0] && (now[1] != before[1] || days < 0)
            });
            assert_eq!(late.join().expect("no panic"), Ok(200), "{days}");
        });
        worst = Cost::until_right(|| is_right(&envoy)).max(worst);
    }
    assert_eq!(worst.lost, 0);
    worst.report("the time of day jumps by days, both ways");
}

/// After its three seconds, and not before.
fn assert_cut_off(get: &Get, status: u16) {
    let begun = Instant::now();
    let answer = get.send().expect("an answer");
    assert_eq!((answer.status, word(&answer)), (status, "timeout"));
    // Envoy's timer counts whole milliseconds, and the agent is given a little less.
    let took = begun.elapsed();
    assert!(took > 3 * SECOND - Duration::from_millis(200), "{status}: {took:?}");
}
