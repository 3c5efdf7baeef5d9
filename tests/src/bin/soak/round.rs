//! Both questions at the same moment, again and again, and what becomes of their verdicts.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::app::{App, CurrentState};
use crate::question::{self, Conclusion};
use crate::tally::{Tally, Uncounted};
use crate::watch::Watch;

/// Between two rounds, in milliseconds.
const PAUSE: std::ops::Range<u64> = 300..1_500;

/// Asks until the end is there.
pub fn ask_until(
    end: Instant,
    app: &App,
    status_port: SocketAddr,
    mut rng: Rng,
    tally: &Tally,
    watch: &Watch,
) {
    loop {
        thread::sleep(Duration::from_millis(rng.u64(PAUSE)));
        if Instant::now() + question::limit(app) > end {
            return;
        }
        thread::scope(|scope| {
            for n in 0..app.probes {
                let delay = if n == 0 { Duration::ZERO } else { second(app, &mut rng) };
                scope.spawn(move || {
                    thread::sleep(delay);
                    pair(app, status_port, tally, watch);
                });
            }
        });
    }
}

/// When a second probe follows the first: at once, or while that may still be under way.
fn second(app: &App, rng: &mut Rng) -> Duration {
    if rng.bool() { Duration::ZERO } else { app.timeout().mul_f64(rng.f64()) }
}

fn pair(app: &App, status_port: SocketAddr, tally: &Tally, watch: &Watch) {
    let (before, begun) = (app.current(), Instant::now());
    let (direct, through) = thread::scope(|scope| {
        let through = scope.spawn(|| question::through(status_port, app));
        (question::directly(app), through.join().expect("no thread panics"))
    });
    let current = before.filter(|_| app.current() == before);
    let is_late = direct.took.max(through.took) > question::limit(app);
    match current {
        None => tally.uncounted(Uncounted::Changed),
        Some(_) if is_late || watch.was_held_up(begun) => tally.uncounted(Uncounted::Starved),
        Some(current) => judge(app, current, begun, &direct, &through, tally),
    }
}

fn judge(
    app: &App,
    current: CurrentState,
    begun: Instant,
    direct: &Conclusion,
    through: &Conclusion,
    tally: &Tally,
) {
    let agree = direct.verdict == through.verdict;
    tally.counted(app.kind, current.state, agree);
    if !agree {
        let before = current.before.map_or("nothing".into(), |state| state.to_string());
        println!(
            "{} ({} s, {} probes): {} for {:.1} s, {before} before that\n  \
             directly {direct}\n  through  {through}",
            app.name,
            app.timeout_seconds,
            app.probes,
            current.state,
            begun.duration_since(current.since).as_secs_f64(),
        );
    }
}
