//! Asking an app, directly and through port 15020.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use app_health_tests::entries;
use app_health_tests::kubelet::{Answer, Get, Verdict, grpc, grpc_tls, http2, tcp};
use app_health_webhook::probers::Scheme;

use crate::app::App;
use crate::state::AppKind;

/// For so much longer than the kubelet an answer of port 15020 is waited for: a failure's reason
/// comes when the time is over. A success that comes then is none.
const FOR_THE_REASON: Duration = Duration::from_secs(1);

/// More than any question takes.
pub const LONGEST: Duration = Duration::from_secs(10);

/// What came of a question.
pub struct Conclusion {
    pub verdict: Verdict,
    /// The answer, and its reason.
    pub said: String,
    pub took: Duration,
}

/// As the kubelet asks a pod without a sidecar.
pub fn directly(app: &App) -> Conclusion {
    let begun = Instant::now();
    let timeout = app.timeout();
    let (verdict, said) = match app.kind {
        AppKind::Tcp => of_check(tcp(app.addr, timeout).map_err(|error| error.to_string())),
        AppKind::Grpc => of_check(grpc(app.addr, "", timeout)),
        AppKind::GrpcTls => of_check(grpc_tls(app.addr, "", timeout)),
        AppKind::Http2 => of_answer(&http2(app.addr, Scheme::Http, "/", timeout)),
        AppKind::HttpsH2 => of_answer(&http2(app.addr, Scheme::Https, "/", timeout)),
        AppKind::Http | AppKind::Https | AppKind::Hop | AppKind::HopTls => {
            let get = Get::probe(app.addr, "/").timeout(timeout).follow();
            let get = if app.kind == AppKind::Https { get.over_tls() } else { get };
            of_answer(&get.send())
        }
    };
    Conclusion { verdict, said, took: begun.elapsed() }
}

/// The app's readiness probe, rewritten.
pub fn through(status_port: SocketAddr, app: &App) -> Conclusion {
    let begun = Instant::now();
    let get = Get::probe(status_port, entries::probe(&app.name));
    let answer = get.timeout(app.timeout() + FOR_THE_REASON).send();
    let took = begun.elapsed();
    let (verdict, said) = of_answer(&answer);
    let verdict = if took > app.timeout() { Verdict::Failure } else { verdict };
    Conclusion { verdict, said, took }
}

/// The longest that a question may take, but for a machine that is busy.
pub fn limit(app: &App) -> Duration {
    app.timeout() + FOR_THE_REASON * 2
}

fn of_check(outcome: Result<(), String>) -> (Verdict, String) {
    match outcome {
        Ok(()) => (Verdict::Success, "well".into()),
        Err(error) => (Verdict::Failure, error),
    }
}

fn of_answer(answer: &std::io::Result<Answer>) -> (Verdict, String) {
    let said = match answer {
        Ok(answer) => format!("{} {}", answer.status, answer.text()),
        Err(error) => error.to_string(),
    };
    (Verdict::of(answer), said)
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

    use super::*;
    use crate::app::FLEET;
    use crate::conduct::deed;
    use crate::state::AppState;

    fn expected(kind: AppKind, state: AppState) -> Verdict {
        match (kind, state) {
            (_, AppState::Healthy | AppState::Slow | AppState::Long) => Verdict::Success,
            (AppKind::Tcp, AppState::Reset | AppState::ClosedAtOnce | AppState::Garbage) => {
                Verdict::Success
            }
            (_, AppState::Elsewhere) => Verdict::Warning,
            _ => Verdict::Failure,
        }
    }

    #[test]
    fn every_state_has_its_verdict() {
        let of_kind = |(kind, _)| AppState::ALL.map(|state| (kind, state));
        let check = |(kind, state): (AppKind, AppState)| {
            let app = App::new(kind, 0, 0);
            if deed(kind, state, app.timeout()).is_some() {
                app.change(state, None);
                let outcome = directly(&app);
                assert_eq!(outcome.verdict, expected(kind, state), "{kind:?} {state}: {outcome}");
            }
        };
        thread::scope(|scope| {
            for case in FLEET.into_iter().flat_map(of_kind) {
                scope.spawn(move || check(case));
            }
        });
    }

    #[test]
    fn an_app_goes_through_states_that_exclude_each_other() {
        let app = App::new(AppKind::Http, 0, 0);
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
            app.change(state, None);
            let outcome = directly(&app);
            assert_eq!(outcome.verdict, expected(AppKind::Http, state), "{state}: {outcome}");
        }
    }
}
