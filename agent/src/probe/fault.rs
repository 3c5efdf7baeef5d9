//! Who is at fault.

use app_health_webhook::reason::Reason;

use super::conclusion::Sides;

/// Whose the fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// All is well.
    Nobody,
    /// The app fails, whoever asks.
    App,
    /// What is between the kubelet and the app: Envoy and the filter.
    Redirection,
    /// The agent beside the filter.
    Agent,
    /// What is recorded, or the variable as a whole.
    Configuration,
    /// Somebody, but not each time.
    Unknown,
}

impl Fault {
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::Nobody => "nobody",
            Fault::App => "app",
            Fault::Redirection => "redirection",
            Fault::Agent => "agent",
            Fault::Configuration => "configuration",
            Fault::Unknown => "unknown",
        }
    }
}

/// Whose it is, and why it is taken for that.
pub fn of(sides: &Sides) -> (Fault, &'static str) {
    let Sides { status_port, app } = sides;
    match (status_port.fails(), status_port.reason, app_fails(sides)) {
        (false, _, Some(true)) => {
            (Fault::Redirection, "the status port passes, but the app itself fails")
        }
        (false, _, Some(false)) => (Fault::Nobody, "both pass"),
        (false, _, None) if app.is_ok() => {
            (Fault::Nobody, "the status port passes; probe itself speaks no such TLS")
        }
        (false, _, None) => (Fault::Nobody, "the status port passes"),
        (true, Some(Reason::Config), _) => {
            (Fault::Configuration, "what is recorded cannot be checked")
        }
        (true, Some(Reason::Agent), Some(true)) => {
            (Fault::Agent, "it could not make the check, and the app itself fails, too")
        }
        (true, Some(Reason::Agent), _) => (Fault::Agent, "it could not make the check"),
        (true, _, Some(false)) => {
            (Fault::Redirection, "the app itself passes, but the status port fails")
        }
        _ if status_port.status.is_none() => {
            (Fault::Redirection, "the status port gives no answer")
        }
        (true, _, Some(true)) => (Fault::App, "it fails whoever asks"),
        (true, Some(Reason::Proxy), None) => (Fault::Redirection, "Envoy could not ask the app"),
        (true, Some(Reason::Status), None) if !status_port.text.is_empty() => {
            (Fault::Redirection, "the answer is Envoy's own: an app's comes without a body")
        }
        (true, _, None) => (Fault::App, "so the status port says"),
    }
}

/// Whether one side passes and the other fails. That may have changed between them: ask again.
pub fn differ(sides: &Sides) -> bool {
    app_fails(sides).is_some_and(|fails| fails != sides.status_port.fails())
}

/// Whose it is where the sides differ and were asked once more.
pub fn of_two(first: &Sides, again: &Sides) -> (Fault, &'static str) {
    match (again.status_port.fails(), app_fails(again)) {
        (fails, Some(app)) if fails != app && fails == first.status_port.fails() => of(first),
        (false, Some(false)) => (Fault::Unknown, "it varies: asked once more, both pass"),
        (true, Some(true)) => (Fault::Unknown, "it varies: asked once more, both fail"),
        _ => (Fault::Unknown, "it varies: asked once more, it is the other way round"),
    }
}

/// `None` where the app was not asked, or speaks TLS that Envoy speaks and `probe` does not (of TLS 1.2
/// without forward secrecy or AEAD, and of curve P-521, rustls has nothing).
fn app_fails(Sides { status_port, app }: &Sides) -> Option<bool> {
    let app = app.as_ref().ok()?;
    let unspoken = app.reason == Some(Reason::Tls) && status_port.reason != Some(Reason::Tls);
    (!unspoken).then(|| app.fails())
}

#[cfg(test)]
mod tests {
    use app_health_webhook::kubelet::Verdict;

    use super::*;
    use crate::probe::attempt::Times;
    use crate::probe::conclusion::Conclusion;

    fn side(status: Option<u16>, reason: Option<Reason>) -> Conclusion {
        let ok = reason == Some(Reason::Ok);
        let verdict = if ok { Verdict::Success } else { Verdict::Failure };
        Conclusion { verdict, status, reason, text: String::new(), times: Times::default() }
    }

    #[test]
    fn of_each_pair() {
        let (ok, status) = (Some(Reason::Ok), Some(Reason::Status));
        for (code, reason, app, fault) in [
            (Some(200), ok, Some(ok), Fault::Nobody),
            (Some(200), ok, None, Fault::Nobody),
            (Some(200), ok, Some(status), Fault::Redirection),
            (Some(503), status, Some(status), Fault::App),
            (Some(503), status, Some(ok), Fault::Redirection),
            (Some(503), status, None, Fault::App),
            (Some(500), Some(Reason::Proxy), Some(ok), Fault::Redirection),
            (Some(500), Some(Reason::Proxy), Some(status), Fault::App),
            (Some(500), Some(Reason::Proxy), None, Fault::Redirection),
            (Some(500), Some(Reason::Agent), Some(ok), Fault::Agent),
            (Some(500), Some(Reason::Agent), Some(status), Fault::Agent),
            (Some(500), Some(Reason::Agent), None, Fault::Agent),
            (Some(500), Some(Reason::Config), Some(ok), Fault::Configuration),
            (Some(500), Some(Reason::Config), None, Fault::Configuration),
            (Some(500), None, Some(ok), Fault::Redirection),
            (Some(500), None, Some(status), Fault::App),
            (None, Some(Reason::Timeout), Some(ok), Fault::Redirection),
            (None, Some(Reason::Timeout), Some(status), Fault::Redirection),
            (None, Some(Reason::Reset), None, Fault::Redirection),
        ] {
            let app = app.map(|reason| side(None, reason)).ok_or(String::new());
            let sides = Sides { status_port: side(code, reason), app };
            let (came, why) = of(&sides);
            assert_eq!(came, fault, "{code:?} {reason:?} {:?}: {why}", sides.app);
        }
    }
}
