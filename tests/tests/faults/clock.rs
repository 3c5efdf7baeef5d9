use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use app_health_tests::app::{Http, Script, V4};
use app_health_tests::entries::{http, probe, within};
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::poll::until;
use app_health_tests::process;

use super::SECOND;
use super::cost::Cost;
use super::fleet::{Fleet, is_right};

const DAY: i64 = 24 * 3600;

/// Builds what lets a program's time of day jump.
fn build(library: &Path) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/clock.c");
    // The one that cargo links with.
    let mut command = process::command("cc");
    command.args(["-shared", "-fPIC", "-o"]).arg(library).arg(source);
    process::run(&mut command, "").succeeded();
}

/// The day that it is for Envoy.
fn day(envoy: &Envoy) -> String {
    let answer = envoy.ask_admin("/ready").expect("the admin answers");
    answer.header("date").expect("a date").chars().take("Fri, 27 Nov 2026".len()).collect()
}

/// How many requests the apps have had from it by HTTP.
fn asked(envoy: &Envoy) -> u64 {
    envoy.stat("cluster.app_http.upstream_rq_total")
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
    let entries = entries.probe("never", within(3, http(never.addr(), "/")));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [library, file] = ["clock.so", "offset"].map(|name| folder.path().join(name));
    build(&library);
    let offset = File::create(&file).expect("a file");
    let set = |seconds: i64| offset.write_all_at(&seconds.to_ne_bytes(), 0).expect("it is set");
    set(0);
    let variables = [("LD_PRELOAD", library), ("CLOCK_OFFSET", file)];
    let envoy = Setup::default().probers(entries).variables(variables).start();
    let mut worst = Cost::default();
    for days in [2, -3, 1] {
        let (before, already) = (day(&envoy), asked(&envoy));
        thread::scope(|scope| {
            let [late, never] = ["late", "never"].map(|name| envoy.get(probe(name)));
            let begun = Instant::now();
            let late = scope.spawn(move || late.status());
            let never = scope.spawn(move || (never.status(), begun.elapsed()));
            until("both are asked", || asked(&envoy) == already + 2);
            set(days * DAY);
            until("it is another day", || day(&envoy) != before);
            assert_eq!(late.join().expect("no panic"), Ok(200), "{days}");
            let (status, took) = never.join().expect("no panic");
            assert_eq!(status, Ok(504), "{days}");
            // Envoy's timer counts whole milliseconds.
            assert!(took > 3 * SECOND - Duration::from_millis(10), "{days}: {took:?}");
        });
        worst = Cost::until_right(|| is_right(&envoy)).max(worst);
    }
    assert_eq!(worst.lost, 0);
    worst.report("the time of day jumps by days, both ways");
}
