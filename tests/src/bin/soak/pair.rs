//! Both questions at the same moment, and what becomes of their verdicts.

use std::thread;
use std::time::Instant;

use app_health_tests::kubelet::Verdict;
use app_health_webhook::path::ProbeKind;

use crate::app::CurrentState;
use crate::container::Container;
use crate::explanation::Circumstances;
use crate::question::{self, Conclusion};
use crate::soak::Soak;

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
    let leaves_spare = soak.leaves_spare;
    let circumstances = Circumstances { app, asked, begun, current, waited, leaves_spare };
    let explanation = if differ { circumstances.explain(&direct, &through) } else { None };
    match (current, explanation) {
        (_, Some(explanation)) => soak.tally.explained(explanation),
        (Some(current), None) => soak.tally.counted(app.kind, current.state, !differ),
        (None, None) => soak.tally.changed(),
    }
    if differ && (explanation.is_none() || soak.verbose) {
        let why = explanation.map_or("unexplained".into(), |explanation| explanation.to_string());
        let why = format!("{why}, waits of up to {:.3} s", waited.as_secs_f64());
        print(&why, container, asked, before, begun, [&direct, &through]);
    }
    Pair {
        through: through.verdict,
        direct: direct.verdict,
        current,
        is_explained: explanation.is_some(),
        begun,
    }
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
