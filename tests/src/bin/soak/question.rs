//! Asking an app, directly and through the status port. What is sent and what is concluded is the
//! library's (`webhook/src/kubelet/`), as in `app-health-agent probe`.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use app_health_tests::entries;
use app_health_tests::kubelet::{Answer, Get, Verdict, grpc, grpc_tls, http2, tcp};
use app_health_webhook::path::ProbeKind;
use app_health_webhook::probers::Scheme;

use crate::app::App;
use crate::state::AppKind;
use crate::watch::of_this_thread;

/// For so much longer than the kubelet an answer of the status port is waited for: a failure's reason
/// comes when the time is over. A success that comes then is none.
const FOR_THE_REASON: Duration = Duration::from_secs(1);

/// So long an answer to a hook is waited for. It has no timeout of its own, but its pod's grace period. No
/// app answers at about that time.
const GRACE_PERIOD: Duration = Duration::from_secs(7);

/// What came of a question.
pub struct Conclusion {
    pub verdict: Verdict,
    /// The answer, and its reason.
    pub said: String,
    pub took: Duration,
    /// How long the thread that asked had to wait for a processor.
    pub waited: Duration,
}

/// As the kubelet asks a pod without a sidecar.
pub fn directly(app: &App, asked: ProbeKind) -> Conclusion {
    let (timeout, to) = (timeout(app, asked), app.addr);
    concluded(timeout, || match app.kind {
        AppKind::Tcp => of_check(tcp(to, timeout).map_err(|error| error.to_string())),
        AppKind::Grpc => of_check(grpc(to, "", timeout)),
        AppKind::GrpcTls => of_check(grpc_tls(to, "", timeout)),
        AppKind::Http2 => of_answer(&http2(to, Scheme::Http, "/", timeout)),
        AppKind::HttpsH2 => of_answer(&http2(to, Scheme::Https, "/", timeout)),
        AppKind::Http | AppKind::Https | AppKind::Hop | AppKind::HopTls => {
            let get = if asked.is_hook() { Get::hook(to, "/") } else { Get::probe(to, "/") };
            let get = if app.kind == AppKind::Https { get.over_tls() } else { get };
            of_get(asked, &get.timeout(timeout).follow().send())
        }
    })
}

/// The same, rewritten.
pub fn through(
    status_port: SocketAddr,
    container: &str,
    app: &App,
    asked: ProbeKind,
) -> Conclusion {
    let (path, timeout) = (entries::path(container, asked), timeout(app, asked));
    concluded(timeout, || {
        if asked.is_hook() {
            return of_get(asked, &Get::hook(status_port, path).timeout(timeout).send());
        }
        of_answer(&Get::probe(status_port, path).timeout(timeout + FOR_THE_REASON).send())
    })
}

/// The longest that a question takes.
pub fn limit(app: &App, asked: ProbeKind) -> Duration {
    timeout(app, asked) + FOR_THE_REASON
}

/// When the kubelet gives up.
pub fn timeout(app: &App, asked: ProbeKind) -> Duration {
    if asked.is_hook() { GRACE_PERIOD } else { app.timeout() }
}

fn concluded(timeout: Duration, ask: impl FnOnce() -> (Verdict, String)) -> Conclusion {
    let (begun, before) = (Instant::now(), of_this_thread());
    let (verdict, said) = ask();
    let took = begun.elapsed();
    let verdict = if took > timeout { Verdict::Failure } else { verdict };
    Conclusion { verdict, said, took, waited: of_this_thread() - before }
}

fn of_check(outcome: Result<(), String>) -> (Verdict, String) {
    match outcome {
        Ok(()) => (Verdict::Success, "well".into()),
        Err(error) => (Verdict::Failure, error),
    }
}

fn of_answer(answer: &io::Result<Answer>) -> (Verdict, String) {
    let said = match answer {
        Ok(answer) => format!("{} {}", answer.status, answer.text()),
        Err(error) => error.to_string(),
    };
    (Verdict::of(answer), said)
}

fn of_get(asked: ProbeKind, answer: &io::Result<Answer>) -> (Verdict, String) {
    let (verdict, said) = of_answer(answer);
    // To a hook any answer will do.
    let is_well = asked.is_hook() && answer.is_ok();
    (if is_well { Verdict::Success } else { verdict }, said)
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An answer may be long.
        let said: String = self.said.trim_end().chars().take(200).collect();
        write!(f, "{} after {:.3} s: {said}", self.verdict, self.took.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use app_health_tests::app::V4;

    use super::*;
    use crate::conduct::deed;
    use crate::state::AppState;

    fn expected(kind: AppKind, state: AppState, asked: ProbeKind) -> Verdict {
        match (kind, state) {
            (_, AppState::Healthy | AppState::Slow | AppState::Long) => Verdict::Success,
            (
                AppKind::Tcp,
                AppState::Reset | AppState::ClosedAtOnce | AppState::Garbage | AppState::Taken,
            ) => Verdict::Success,
            (
                _,
                AppState::Elsewhere | AppState::HalfBody | AppState::Status503 | AppState::TooSlow,
            ) if asked.is_hook() => Verdict::Success,
            (_, AppState::Elsewhere) => Verdict::Warning,
            _ => Verdict::Failure,
        }
    }

    /// On a busy machine.
    fn is_a_race(state: AppState) -> bool {
        matches!(state, AppState::AlmostTooSlow | AppState::JustTooSlow)
    }

    fn check(asked: ProbeKind, kinds: impl IntoIterator<Item = AppKind>) {
        // Seconds away from every answer.
        let timeout = if asked.is_hook() { 1 } else { 4 };
        let check = |kind: AppKind, state: AppState| {
            let app = App::new(kind, timeout, V4);
            if deed(kind, state, app.timeout()).is_some() {
                app.change(state);
                let (outcome, expected) = (directly(&app, asked), expected(kind, state, asked));
                assert_eq!(outcome.verdict, expected, "{kind:?} {state}: {outcome}");
            }
        };
        thread::scope(|scope| {
            for kind in kinds {
                for state in AppState::ALL.into_iter().filter(|state| !is_a_race(*state)) {
                    scope.spawn(move || check(kind, state));
                }
            }
        });
    }

    #[test]
    fn every_state_has_its_verdict() {
        check(ProbeKind::Liveness, AppKind::ALL);
    }

    #[test]
    fn a_hook_is_well_with_any_answer() {
        check(ProbeKind::PreStop, [AppKind::Http, AppKind::Https]);
    }

    #[test]
    fn an_app_goes_through_states_that_exclude_each_other() {
        let app = App::new(AppKind::Http, 1, V4);
        for state in [
            AppState::Closed,
            AppState::Healthy,
            AppState::QueueFull,
            AppState::Healthy,
            AppState::Closed,
            AppState::QueueFull,
            AppState::Closed,
            AppState::Long,
            AppState::Healthy,
        ] {
            app.change(state);
            let outcome = directly(&app, ProbeKind::Readiness);
            let expected = expected(AppKind::Http, state, ProbeKind::Readiness);
            assert_eq!(outcome.verdict, expected, "{state}: {outcome}");
        }
    }
}
