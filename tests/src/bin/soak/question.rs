//! Asking an app, directly and through port 15020.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use app_health_tests::entries;
use app_health_tests::kubelet::{Answer, Get, Security, Verdict, grpc, grpc_tls, http2, tcp};

use crate::app::App;
use crate::state::Kind;

/// For so much longer than the kubelet an answer of port 15020 is waited for: a failure's reason
/// comes when the time is over. A success that comes then is none.
const FOR_THE_REASON: Duration = Duration::from_secs(1);

/// More than any question takes.
pub const LONGEST: Duration = Duration::from_secs(10);

/// What came of a question.
pub struct Outcome {
    pub verdict: Verdict,
    /// The answer, and its reason.
    pub said: String,
    pub took: Duration,
}

/// As the kubelet asks a pod without a sidecar.
pub fn directly(app: &App) -> Outcome {
    let begun = Instant::now();
    let timeout = app.timeout();
    let (verdict, said) = match app.kind {
        Kind::Tcp => of_check(tcp(app.addr, timeout).map_err(|error| error.to_string())),
        Kind::Grpc => of_check(grpc(app.addr, "", timeout)),
        Kind::GrpcTls => of_check(grpc_tls(app.addr, "", timeout)),
        Kind::Http2 => of_answer(&http2(app.addr, Security::Plain, "/", timeout)),
        Kind::HttpsH2 => of_answer(&http2(app.addr, Security::Tls, "/", timeout)),
        Kind::Http | Kind::Https | Kind::Hop | Kind::HopTls => {
            let get = Get::probe(app.addr, "/").timeout(timeout).follow();
            let get = if app.kind == Kind::Https { get.over_tls() } else { get };
            of_answer(&get.send())
        }
    };
    Outcome { verdict, said, took: begun.elapsed() }
}

/// The app's readiness probe, rewritten.
pub fn through(status_port: SocketAddr, app: &App) -> Outcome {
    let begun = Instant::now();
    let get = Get::probe(status_port, entries::probe(&app.name));
    let answer = get.timeout(app.timeout() + FOR_THE_REASON).send();
    let took = begun.elapsed();
    let (verdict, said) = of_answer(&answer);
    let verdict = if took > app.timeout() { Verdict::Failure } else { verdict };
    Outcome { verdict, said, took }
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

impl fmt::Display for Outcome {
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
    use crate::state::State;

    fn expected(kind: Kind, state: State) -> Verdict {
        match (kind, state) {
            (_, State::Healthy | State::Slow | State::Long) => Verdict::Success,
            (Kind::Tcp, State::Reset | State::ClosedAtOnce | State::Garbage) => Verdict::Success,
            (_, State::Elsewhere) => Verdict::Warning,
            _ => Verdict::Failure,
        }
    }

    #[test]
    fn every_state_has_its_verdict() {
        let of_kind = |(kind, _)| State::ALL.map(|state| (kind, state));
        let check = |(kind, state): (Kind, State)| {
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
        let app = App::new(Kind::Http, 0, 0);
        for state in [
            State::Closed,
            State::Healthy,
            State::QueueFull,
            State::Healthy,
            State::Closed,
            State::QueueFull,
            State::Closed,
            State::Long,
            State::Healthy,
        ] {
            app.change(state, None);
            let outcome = directly(&app);
            assert_eq!(outcome.verdict, expected(Kind::Http, state), "{state}: {outcome}");
        }
    }
}
