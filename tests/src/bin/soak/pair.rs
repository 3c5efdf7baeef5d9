//! Both questions at the same moment, and what becomes of their verdicts.

use std::thread;
use std::time::{Duration, Instant};

use app_health_tests::kubelet::Verdict;
use app_health_webhook::path::ProbeKind;

use crate::app::{App, CurrentState};
use crate::conduct::margin;
use crate::container::Container;
use crate::question::{self, Conclusion};
use crate::soak::Soak;
use crate::tally::Explanation;

/// So much before its time a check may end: the agent has 50 ms less.
const EARLY: Duration = Duration::from_millis(60);

/// What came of both.
pub struct Pair {
    pub through: Verdict,
    pub direct: Verdict,
    /// The app's state, if it was the same all the time.
    pub current: Option<CurrentState>,
    /// They differ, and there is a reason.
    pub is_explained: bool,
    pub begun: Instant,
}

/// Asks a probe or a hook of a container.
pub fn ask(soak: &Soak<'_>, container: &Container, asked: ProbeKind) -> Pair {
    let app = &container.app;
    let status_port = soak.sidecar.status_port(app.addr.ip());
    let (before, begun, waits) = (app.current(), Instant::now(), soak.watch.waits());
    let ask_through = || question::through(status_port, &container.name, app, asked);
    let ask_directly = || question::directly(app, asked);
    let (direct, through) = thread::scope(|scope| {
        let through = scope.spawn(|| soak.network.on_node(ask_through));
        (soak.network.in_pod(ask_directly), through.join().expect("no thread panics"))
    });
    let waited = soak.watch.waits().longest_since(&waits);
    let waited = waited.max(direct.waited).max(through.waited);
    let current = before.filter(|_| app.current() == before);
    let differ = direct.verdict != through.verdict;
    let both = [&direct, &through];
    let explanation = explanation(app, asked, current, both, waited).filter(|_| differ);
    match (current, explanation) {
        (_, Some(explanation)) => soak.tally.explained(explanation),
        (Some(current), None) => soak.tally.counted(app.kind, current.state, !differ),
        (None, None) => soak.tally.changed(),
    }
    if differ && (explanation.is_none() || soak.verbose) {
        let why = explanation.map_or("unexplained".into(), |explanation| explanation.to_string());
        let why = format!("{why}, waits of up to {:.3} s", waited.as_secs_f64());
        print(&why, container, asked, before, begun, both);
    }
    Pair {
        through: through.verdict,
        direct: direct.verdict,
        current,
        is_explained: explanation.is_some(),
        begun,
    }
}

/// Why its verdicts may differ.
fn explanation(
    app: &App,
    asked: ProbeKind,
    current: Option<CurrentState>,
    both: [&Conclusion; 2],
    waited: Duration,
) -> Option<Explanation> {
    let Some(CurrentState { state, .. }) = current else { return Some(Explanation::Changed) };
    let timeout = question::timeout(app, asked);
    // Whoever is held up fails when the time is over. But Envoy counts from when its thread last looked at
    // the clock.
    let is_late = |side: &Conclusion| side.took + EARLY + waited >= timeout;
    let failed = both.into_iter().find(|side| side.verdict == Verdict::Failure);
    // Four threads, or so, wait in turn: an app's, Envoy's, the agent's, and the one that asks.
    let is_busy = waited > margin(state, app.timeout(), timeout) / 4;
    (is_busy && failed.is_some_and(is_late)).then_some(Explanation::Busy)
}

fn print(
    why: &str,
    container: &Container,
    asked: ProbeKind,
    current: Option<CurrentState>,
    begun: Instant,
    [direct, through]: [&Conclusion; 2],
) {
    let Container { name, app, .. } = container;
    let state = current.map_or("changing".into(), |CurrentState { state, before, since }| {
        let before = before.map_or("nothing".into(), |state| state.to_string());
        let since = begun.saturating_duration_since(since).as_secs_f64();
        format!("{state} for {since:.1} s, {before} before that")
    });
    println!(
        "{why}: {name} {} on {}, timeout {} s: {state}\n  directly {direct}\n  through  {through}",
        asked.as_str(),
        app.addr,
        app.timeout_seconds,
    );
}
