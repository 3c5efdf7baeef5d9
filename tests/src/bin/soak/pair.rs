//! Both questions at the same moment, and what becomes of their verdicts.

use std::thread;
use std::time::{Duration, Instant};

use app_health_tests::kubelet::Verdict;
use app_health_webhook::path::ProbeKind;

use crate::app::CurrentState;
use crate::container::Container;
use crate::question::{self, Conclusion};
use crate::soak::Soak;
use crate::tally::Explanation;

/// Less than any state is from a timeout.
const BUSY: Duration = Duration::from_millis(100);

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
    let (before, begun, waited) = (app.current(), Instant::now(), soak.watch.waited());
    let ask_through = || question::through(status_port, &container.name, app, asked);
    let ask_directly = || question::directly(app, asked);
    let (direct, through) = thread::scope(|scope| {
        let through = scope.spawn(|| soak.network.on_node(ask_through));
        (soak.network.in_pod(ask_directly), through.join().expect("no thread panics"))
    });
    let waited = soak.watch.waited() - waited + direct.waited + through.waited;
    let current = before.filter(|_| app.current() == before);
    let differ = direct.verdict != through.verdict;
    let explanation = match current {
        None => Some(Explanation::Changed),
        Some(_) if waited > BUSY => Some(Explanation::Busy),
        Some(_) => None,
    };
    match (current, explanation.filter(|_| differ)) {
        (_, Some(explanation)) => soak.tally.explained(explanation),
        (Some(current), None) => soak.tally.counted(app.kind, current.state, !differ),
        (None, None) => soak.tally.changed(),
    }
    if differ && explanation.is_none() {
        print(container, asked, current, begun, [&direct, &through], waited);
    }
    Pair {
        through: through.verdict,
        direct: direct.verdict,
        current,
        is_explained: differ && explanation.is_some(),
        begun,
    }
}

fn print(
    container: &Container,
    asked: ProbeKind,
    current: Option<CurrentState>,
    begun: Instant,
    [direct, through]: [&Conclusion; 2],
    waited: Duration,
) {
    let Some(current) = current else { return };
    println!(
        "{} {} on {}, timeout {} s: {} for {:.1} s, {} before that; {:.3} s waited for a processor\n  \
         directly {direct}\n  through  {through}",
        container.name,
        asked.as_str(),
        container.app.addr,
        container.app.timeout_seconds,
        current.state,
        begun.duration_since(current.since).as_secs_f64(),
        current.before.map_or("nothing".into(), |state| state.to_string()),
        waited.as_secs_f64(),
    );
}
