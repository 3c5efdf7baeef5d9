//! Apps that fail and recover at random, each asked directly and through port 15020 at the same
//! moment: whatever happened before, both verdicts have to agree. `scripts/soak` starts it.

mod app;
mod args;
mod conduct;
mod question;
mod round;
mod state;
mod tally;
mod watch;

use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use app_health_tests::app::V4;
use app_health_tests::entries::Entries;
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::program::arguments;
use fastrand::Rng;

use app::App;
use args::Args;
use tally::Tally;
use watch::Watch;

fn main() -> ExitCode {
    if soak(&arguments()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether no verdict was wrong.
fn soak(args: &Args) -> bool {
    let mut rng = Rng::with_seed(args.seed);
    let apps = app::fleet();
    let envoy = start(&apps, args);
    println!("{} apps, {:.1} minutes, --seed {}", apps.len(), args.minutes(), args.seed);
    let (tally, watch) = (Tally::default(), Watch::default());
    let end = Instant::now() + args.time;
    thread::scope(|scope| {
        scope.spawn(|| watch.run(end + question::LONGEST));
        for app in &apps {
            let (changes, rounds) = (rng.fork(), rng.fork());
            scope.spawn(move || app.change_until(end, changes));
            let (envoy, tally, watch) = (envoy.addr(), &tally, &watch);
            scope.spawn(move || round::ask_until(end, app, envoy, rounds, tally, watch));
        }
    });
    print!("{tally}");
    tally.is_well()
}

fn start(apps: &[App], args: &Args) -> Envoy {
    let entries =
        apps.iter().fold(Entries::default(), |entries, app| entries.probe(&app.name, app.prober()));
    let mut setup = Setup::default().probers(entries).pod_ip(V4).concurrency(args.concurrency);
    if let Some(envoy) = &args.envoy {
        setup = setup.binary(envoy);
    }
    if args.without_agent {
        setup = setup.without_agent();
    }
    setup.start()
}
