//! What a test wants to get from the status port.

use std::fmt::Debug;
use std::io;

use app_health_tests::app::{Http, Request, Script, V4};
use app_health_tests::entries::{self, Entries};
use app_health_tests::envoy::{Envoy, LIMIT, Setup};
use app_health_tests::kubelet::{Answer, Get};

/// An answer of the status port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The app's own status, and nothing else.
    App(u16),
    /// This status, and one line that says why, with this in it. The header says why, too, unless the
    /// request was none for a recorded probe.
    Reason(u16, &'static str),
    /// 500 or 502 and one line: a reset may overtake the half answer that went before it.
    NoAnswer,
    /// No HTTP answer: the connection is closed.
    Closed,
}

use Expected::{App, Closed, NoAnswer, Reason};

impl Expected {
    fn is_met(self, outcome: &io::Result<Answer>) -> bool {
        match (self, outcome) {
            (App(status), Ok(answer)) => {
                answer.status == status && answer.body.is_empty() && word(answer).is_none()
            }
            (Reason(status, part), Ok(answer)) => {
                let text = answer.text();
                let is_probe = !matches!(status, 400 | 405);
                answer.status == status
                    && text.contains(part)
                    && text.lines().count() == 1
                    && word(answer).is_some() == is_probe
            }
            (NoAnswer, Ok(answer)) => {
                matches!(answer.status, 500 | 502) && answer.text().lines().count() == 1
            }
            (Closed, Err(error)) => error.kind() == io::ErrorKind::UnexpectedEof,
            _ => false,
        }
    }
}

/// Sends each request, and panics with all those that were not answered as wanted.
pub fn check<C: Debug>(cases: impl IntoIterator<Item = (C, Get, Expected)>) {
    let answered =
        cases.into_iter().map(|(case, get, want)| (case, want, get.timeout(LIMIT).send()));
    let wrong: Vec<String> = answered
        .filter(|(_, want, outcome)| !want.is_met(outcome))
        .map(|(case, want, outcome)| format!("{case:?}: wanted {want:?}, got {}", shown(&outcome)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The reason as a word.
pub fn word(answer: &Answer) -> Option<&str> {
    answer.header("x-app-health-reason")
}

fn shown(outcome: &io::Result<Answer>) -> String {
    match outcome {
        Ok(answer) => format!("{} {:?}", answer.status, answer.text()),
        Err(error) => format!("{error:?}"),
    }
}

/// An app that plays one script a path, and what is recorded for it.
pub struct Scripted {
    _app: Http,
    entries: Entries,
    wants: Vec<(String, Expected)>,
}

impl Scripted {
    /// The case's number names the container and the path.
    pub fn new(cases: &[(Script, Expected)]) -> Self {
        let scripts: Vec<Script> = cases.iter().map(|(script, _)| script.clone()).collect();
        let app = Http::start(V4, move |request| scripts[number(request)].clone());
        let mut entries = Entries::default();
        let mut wants = Vec::new();
        for (n, (script, want)) in cases.iter().enumerate() {
            let prober = entries::http(app.addr(), &format!("/{n}"));
            let is_waited_out = matches!(want, Reason(504, _));
            let prober = if is_waited_out { entries::within(1, prober) } else { prober };
            entries = entries.probe(&container(n), prober.clone()).hook(&container(n), prober);
            wants.push((format!("{script:?}").chars().take(300).collect(), *want));
        }
        Self { _app: app, entries, wants }
    }

    /// Sends every probe, and checks what comes.
    pub fn probe(&self) {
        let envoy = envoy(self.entries.clone());
        self.check(|container| envoy.get(entries::probe(container)));
    }

    /// Runs every hook, and checks what comes.
    pub fn hook(&self) {
        let envoy = envoy(self.entries.clone());
        self.check(|container| envoy.hook(entries::hook(container)));
    }

    fn check(&self, get: impl Fn(&str) -> Get) {
        let cases = self.wants.iter().enumerate();
        check(cases.map(|(n, (case, want))| (case, get(&container(n)), *want)));
    }
}

fn container(n: usize) -> String {
    format!("c{n}")
}

fn number(request: &Request) -> usize {
    request.target[1..].parse().expect("the number of a case")
}

/// An Envoy for these entries, of which those without a timeout get a long one.
pub fn envoy(entries: Entries) -> Envoy {
    Setup::default().probers(entries.patient()).start()
}
