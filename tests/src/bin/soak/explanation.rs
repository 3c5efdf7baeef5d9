//! Why both verdicts may differ. All else is wrong.

use std::fmt;
use std::time::{Duration, Instant};

use app_health_tests::kubelet::Verdict;
use app_health_webhook::path::ProbeKind;

use crate::app::{App, CurrentState};
use crate::conduct::margin;
use crate::question::{self, Conclusion};
use crate::state::AppKind;

/// So much before its time a check may end: the agent has 50 ms less.
const EARLY: Duration = Duration::from_millis(60);
/// The `connect_timeout` of dispatched requests over TLS, which share their dials.
const TLS_DIAL: Duration = Duration::from_secs(1);
/// How long a connection is kept that an Envoy before 1.39 makes beside that of a TCP check.
const SPARE: Duration = Duration::from_millis(300);

/// The last two are differences that ARCHITECTURE.md names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Explanation {
    /// The app's state changed meanwhile.
    Changed,
    /// Those who take part had to wait for a processor.
    Busy,
    /// The probe waited for a dial that another one had begun.
    LeftDial,
    /// A TCP check by Envoy took a connection that the check before had left.
    Spare,
}

/// Under which both were asked.
pub struct Circumstances<'a> {
    pub app: &'a App,
    pub asked: ProbeKind,
    pub begun: Instant,
    /// The app's state, if it was the same all the time.
    pub current: Option<CurrentState>,
    /// How long the thread waited for a processor that waited longest.
    pub waited: Duration,
    /// Whether a TCP check may leave a connection for the next one.
    pub leaves_spare: bool,
}

impl Circumstances<'_> {
    /// Why these verdicts differ.
    pub fn explain(&self, direct: &Conclusion, through: &Conclusion) -> Option<Explanation> {
        let Some(CurrentState { state, since, .. }) = self.current else {
            return Some(Explanation::Changed);
        };
        let (kind, lasted) = (self.app.kind, self.begun.saturating_duration_since(since));
        let failed = [direct, through].into_iter().find(|side| side.verdict == Verdict::Failure)?;
        let may_be_spare = kind == AppKind::Tcp && self.leaves_spare && lasted < SPARE;
        if may_be_spare && through.verdict == Verdict::Success {
            return Some(Explanation::Spare);
        }
        // Whoever is held up fails when the time is over. But Envoy counts from when its thread last looked
        // at the clock.
        let timeout = question::timeout(self.app, self.asked);
        if failed.took + EARLY + self.waited < timeout {
            return None;
        }
        // Four threads, or so, wait in turn: an app's, Envoy's, the agent's, and the one that asks.
        if self.waited > margin(state, self.app.timeout(), timeout) / 4 {
            return Some(Explanation::Busy);
        }
        // The handshake of a dial that was made while the app hung.
        let shares_dials = matches!(kind, AppKind::GrpcTls | AppKind::HopTls);
        let is_left = shares_dials && timeout <= TLS_DIAL && lasted < TLS_DIAL / 4;
        is_left.then_some(Explanation::LeftDial)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "the app changed",
            Self::Busy => "the machine was busy",
            Self::LeftDial => "the dial was another probe's",
            Self::Spare => "the connection was another check's",
        })
    }
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
        let (asked, current) = (ProbeKind::Readiness, Some(current));
        let it = Circumstances { app: &app, asked, begun, current, waited, leaves_spare: true };
        it.explain(&direct, &through)
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

    #[test]
    fn a_connection_that_is_spare_is_so_for_a_moment() {
        let side = |verdict| Conclusion { verdict, said: String::new(), took: NONE, waited: NONE };
        let (failure, success) = (side(Verdict::Failure), side(Verdict::Success));
        for (kind, leaves_spare, lasts, is_explained) in [
            (AppKind::Tcp, true, SPARE / 2, true),
            (AppKind::Tcp, true, SPARE * 2, false),
            (AppKind::Tcp, false, SPARE / 2, false),
            (AppKind::Http, true, SPARE / 2, false),
        ] {
            let (app, since) = (App::new(kind, 1, V4), Instant::now());
            let current = CurrentState { state: AppState::QueueFull, before: None, since };
            let (asked, begun, waited) = (ProbeKind::Readiness, since + lasts, NONE);
            let current = Some(current);
            let it = Circumstances { app: &app, asked, begun, current, waited, leaves_spare };
            let wanted = is_explained.then_some(Explanation::Spare);
            assert_eq!(it.explain(&failure, &success), wanted, "{kind:?} {leaves_spare} {lasts:?}");
        }
    }
}
