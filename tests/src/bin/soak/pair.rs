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
use crate::state::AppKind;
use crate::tally::Explanation;

/// So much before its time a check may end: the agent has 50 ms less.
const EARLY: Duration = Duration::from_millis(60);

/// The `connect_timeout` of dispatched requests over TLS, which share their dials.
const TLS_DIAL: Duration = Duration::from_secs(1);

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
    let explanation = explanation(app, asked, begun, current, both, waited).filter(|_| differ);
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
    begun: Instant,
    current: Option<CurrentState>,
    both: [&Conclusion; 2],
    waited: Duration,
) -> Option<Explanation> {
    let Some(CurrentState { state, since, .. }) = current else {
        return Some(Explanation::Changed);
    };
    let timeout = question::timeout(app, asked);
    // Whoever is held up fails when the time is over. But Envoy counts from when its thread last looked at
    // the clock.
    let failed = both.into_iter().find(|side| side.verdict == Verdict::Failure)?;
    if failed.took + EARLY + waited < timeout {
        return None;
    }
    // Four threads, or so, wait in turn: an app's, Envoy's, the agent's, and the one that asks.
    if waited > margin(state, app.timeout(), timeout) / 4 {
        return Some(Explanation::Busy);
    }
    // The handshake of a dial that was made while the app hung.
    let is_shared = matches!(app.kind, AppKind::GrpcTls | AppKind::HopTls);
    let is_left = timeout <= TLS_DIAL && begun.saturating_duration_since(since) < TLS_DIAL / 4;
    (is_shared && is_left).then_some(Explanation::LeftDial)
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

#[cfg(test)]
mod tests {
    use app_health_tests::app::V4;

    use super::*;
    use crate::state::AppState;

    const NONE: Duration = Duration::ZERO;

    /// Of an app with a timeout of 1 s that has been in this state for so long: it is well, and through the
    /// status port it fails after so many milliseconds.
    fn explained(
        kind: AppKind,
        state: AppState,
        lasts: Duration,
        took: u64,
        waited: Duration,
    ) -> Option<Explanation> {
        let begun = Instant::now() + lasts;
        let current = CurrentState { state, before: None, since: begun - lasts };
        let side = |verdict, took| Conclusion { verdict, said: String::new(), took, waited: NONE };
        let direct = side(Verdict::Success, NONE);
        let through = side(Verdict::Failure, Duration::from_millis(took));
        let app = App::new(kind, 1, V4);
        let (asked, both) = (ProbeKind::Readiness, [&direct, &through]);
        explanation(&app, asked, begun, Some(current), both, waited)
    }

    #[test]
    fn a_wait_explains_what_is_late_for_no_other_reason() {
        let of = |state, took, waited: u64| {
            let waited = Duration::from_millis(waited);
            explained(AppKind::Http, state, TLS_DIAL, took, waited)
        };
        for (state, took, waited, is_busy) in [
            (AppState::Healthy, 1_001, 300, true),
            (AppState::Healthy, 1_001, 200, false),
            (AppState::AlmostTooSlow, 1_001, 100, true),
            (AppState::AlmostTooSlow, 1_001, 50, false),
            (AppState::Healthy, 500, 300, false),
            (AppState::Healthy, 950, 300, true),
            (AppState::Healthy, 700, 300, true),
        ] {
            let explanation = of(state, took, waited);
            assert_eq!(explanation.is_some(), is_busy, "{state} {took} {waited}: {explanation:?}");
        }
    }

    #[test]
    fn a_dial_that_is_left_ends_soon() {
        let soon = TLS_DIAL / 10;
        for (kind, lasts, took, is_explained) in [
            (AppKind::GrpcTls, soon, 1_001, true),
            (AppKind::HopTls, soon, 1_001, true),
            (AppKind::GrpcTls, TLS_DIAL, 1_001, false),
            (AppKind::GrpcTls, soon, 500, false),
            (AppKind::Grpc, soon, 1_001, false),
            (AppKind::Https, soon, 1_001, false),
        ] {
            let explanation = explained(kind, AppState::Healthy, lasts, took, NONE);
            let wanted = is_explained.then_some(Explanation::LeftDial);
            assert_eq!(explanation, wanted, "{kind:?} {lasts:?} {took}");
        }
    }
}
