//! The state of a probe in the whole process, whichever worker has answered it.
//!
//! Counts and whether it passes are Envoy's metrics. Since when, and why, stands in shared data, which is
//! written when that changes.

use std::cell::Cell;
use std::time::Duration;

use app_health_webhook::reason::Reason;

use crate::metrics::{Labels, ProbeMetrics};
use crate::process::Process;

/// The first word of each value: an upgrade of the filter finds the values of the one before.
const VERSION: &str = "1";
/// How often a value is written that another worker has written meanwhile.
const TRIES: usize = 4;

/// What is known of a probe or hook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// `None` until the first check that says something of the app.
    pub passes: Option<bool>,
    /// Since when, in monotonic time.
    pub since: Duration,
    /// The reason of the last failure, or of the success after it, if there was one.
    pub reason: Option<Reason>,
    /// The same, as a line for people.
    pub text: String,
    /// The results that there were, by bits: the others have no counter.
    results: u16,
}

/// What a result is to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Whether it is a change between passing and failing, and how long the state before has held, if there
    /// was one.
    pub change: Option<Option<Duration>>,
    /// Since when the state has held before it, in monotonic time.
    pub since: Duration,
}

/// What a check came to.
pub struct CheckResult<'a> {
    /// `None` where it says nothing of the app.
    pub passes: Option<bool>,
    pub reason: Reason,
    pub text: &'a str,
}

/// What a worker remembers of a probe or hook.
#[derive(Default)]
pub struct Memory {
    metrics: ProbeMetrics,
    /// The results of which this worker knows that shared data has them, by bits.
    shared: Cell<u16>,
    /// Whether the last one that this worker has seen was a success.
    passed: Cell<bool>,
}

impl Memory {
    /// Counts a result, and says what it is to the process; `None` where shared data need not be asked, or
    /// where other workers were faster each time. `now` is asked where something changes.
    pub fn note(
        &self,
        key: &str,
        labels: &Labels,
        result: &CheckResult,
        now: &dyn Fn() -> Duration,
        process: &dyn Process,
    ) -> Option<Noted> {
        process.increment(self.metrics.total(labels, result.reason, process));
        // A hook has no gauge. It runs once, so that a look at shared data does not matter.
        let has_gauge = result.passes.is_some() && !labels.kind.is_hook();
        let up = has_gauge.then(|| self.metrics.up(labels, process));
        let is_known = match result.passes {
            // Only of successes nothing new can be told.
            Some(true) => self.passed.get() && up.is_some_and(|up| process.value(up) == 1),
            Some(false) => false,
            None => self.shared.get() & bit(result.reason) != 0,
        };
        if is_known {
            return None;
        }
        let before = share(key, result, now, process)?;
        self.shared.set(self.shared.get() | bit(result.reason));
        let passes = result.passes?;
        self.passed.set(passes);
        if let Some(up) = up {
            process.set(up, passes.into());
        }
        // A probe that passes from the start is no news.
        let is_change = before.passes.unwrap_or(true) != passes;
        let held = before.passes.map(|_| now().saturating_sub(before.since));
        Some(Noted { change: is_change.then_some(held), since: before.since })
    }

    /// Takes over the metrics of a filter that this one replaces, since Envoy drops those that nobody else has
    /// asked for. Returns whether there are any.
    pub fn keep(&self, key: &str, labels: &Labels, process: &dyn Process) -> bool {
        let (state, _) = State::shared(key, process);
        self.results(labels, &state, process);
        if state.passes.is_some() && !labels.kind.is_hook() {
            self.metrics.up(labels, process);
        }
        state.results != 0
    }

    /// How often there was which result since a filter was first loaded, in all workers.
    pub fn results(
        &self,
        labels: &Labels,
        state: &State,
        process: &dyn Process,
    ) -> Vec<(Reason, u64)> {
        let were = Reason::ALL.into_iter().filter(|reason| state.results & bit(*reason) != 0);
        let count = |reason| (reason, process.value(self.metrics.total(labels, reason, process)));
        were.map(count).filter(|(_, count)| *count > 0).collect()
    }
}

/// Writes what a result changes in shared data, and returns the state before; `None` where other workers
/// were faster each time.
fn share(
    key: &str,
    result: &CheckResult,
    now: &dyn Fn() -> Duration,
    process: &dyn Process,
) -> Option<State> {
    (0..TRIES).find_map(|_| {
        let (before, version) = State::shared(key, process);
        let after = before.clone().with(result, now);
        let is_done = after == before || process.share(key, after.encode().as_bytes(), version);
        is_done.then_some(before)
    })
}

impl State {
    /// Reads the state, and its version.
    pub fn shared(key: &str, process: &dyn Process) -> (Self, Option<u32>) {
        match process.shared(key) {
            Some((value, version)) => (Self::decode(&value).unwrap_or_default(), Some(version)),
            None => (Self::default(), None),
        }
    }

    fn with(mut self, result: &CheckResult, now: &dyn Fn() -> Duration) -> Self {
        self.results |= bit(result.reason);
        if result.passes.is_none() {
            return self;
        }
        if self.passes != result.passes {
            self.since = now();
            self.passes = result.passes;
        }
        self.reason = Some(result.reason);
        self.text = result.text.to_owned();
        self
    }

    fn encode(&self) -> String {
        let passes = match self.passes {
            None => "unknown",
            Some(true) => "passes",
            Some(false) => "fails",
        };
        let reason = self.reason.map_or("-", Reason::as_str);
        let (results, since) =
            (self.results.to_string(), (self.since.as_nanos() as u64).to_string());
        [VERSION, &results, passes, &since, reason, &self.text].join(" ")
    }

    /// `None` where this version does not know the value.
    fn decode(value: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(value).ok()?.splitn(6, ' ');
        if words.next()? != VERSION {
            return None;
        }
        let results = words.next()?.parse().ok()?;
        let passes = match words.next()? {
            "passes" => Some(true),
            "fails" => Some(false),
            _ => None,
        };
        let since = Duration::from_nanos(words.next()?.parse().ok()?);
        let reason = words.next()?;
        let reason = Reason::ALL.into_iter().find(|other| other.as_str() == reason);
        Some(Self { passes, since, reason, text: words.next()?.to_owned(), results })
    }
}

fn bit(reason: Reason) -> u16 {
    1 << (reason as u16)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use app_health_webhook::path::ProbeKind;

    use super::*;
    use crate::process::{Metric, MetricKind};

    /// A process in which another worker writes this value before each of the first attempts to.
    struct Busy {
        value: RefCell<Vec<u8>>,
        attempts: Cell<u32>,
        faster: u32,
        others: &'static str,
    }

    impl Process for Busy {
        fn metric(&self, _: MetricKind, _: &str) -> Metric {
            Metric(1)
        }

        fn value(&self, _: Metric) -> u64 {
            0
        }

        fn increment(&self, _: Metric) {}

        fn set(&self, _: Metric, _: u64) {}

        fn shared(&self, _: &str) -> Option<(Vec<u8>, u32)> {
            Some((self.value.borrow().clone(), self.attempts.get()))
        }

        fn share(&self, _: &str, value: &[u8], version: Option<u32>) -> bool {
            assert_eq!(version, Some(self.attempts.get()));
            self.attempts.set(self.attempts.get() + 1);
            let is_mine = self.attempts.get() > self.faster;
            let value = if is_mine { value } else { self.others.as_bytes() };
            self.value.replace(value.to_vec());
            is_mine
        }
    }

    fn note(faster: u32, others: &'static str) -> (Option<Noted>, Option<State>) {
        let value = RefCell::new(b"1 1 passes 5000000000 ok 200 from the app".to_vec());
        let process = Busy { value, attempts: Cell::new(0), faster, others };
        let labels = Labels { container: "a", kind: ProbeKind::Readiness };
        let result = CheckResult { passes: Some(false), reason: Reason::Refused, text: "x y" };
        let now = || Duration::from_secs(8);
        let noted = Memory::default().note("k", &labels, &result, &now, &process);
        let value = process.value.take();
        (noted, State::decode(&value))
    }

    /// A process that notes which metrics it is asked for.
    struct Asked(&'static str, RefCell<Vec<String>>);

    impl Process for Asked {
        fn metric(&self, _: MetricKind, name: &str) -> Metric {
            self.1.borrow_mut().push(name.rsplit(";.;").take(2).collect::<Vec<_>>().join(" "));
            Metric(1)
        }

        fn value(&self, _: Metric) -> u64 {
            0
        }

        fn increment(&self, _: Metric) {}

        fn set(&self, _: Metric, _: u64) {}

        fn shared(&self, _: &str) -> Option<(Vec<u8>, u32)> {
            (!self.0.is_empty()).then(|| (self.0.into(), 1))
        }

        fn share(&self, _: &str, _: &[u8], _: Option<u32>) -> bool {
            panic!("nothing has changed")
        }
    }

    #[test]
    fn metrics_are_taken_over_where_shared_data_has_results() {
        let asked = |kind, shared| {
            let process = Asked(shared, RefCell::default());
            let labels = Labels { container: "a", kind };
            assert_eq!(Memory::default().keep("k", &labels, &process), !shared.is_empty());
            process.1.take()
        };
        let [ok, refused] = [Reason::Ok, Reason::Refused]
            .map(|reason| format!("app_health_probe_total result=.={}", reason.as_str()));
        let up = "app_health_probe_up probe=.=readiness";
        let results = bit(Reason::Ok) | bit(Reason::Refused);
        assert_eq!(results, 5, "as below");
        assert_eq!(asked(ProbeKind::Readiness, "1 5 fails 7 refused x"), [&ok, &refused, up]);
        assert_eq!(asked(ProbeKind::PreStop, "1 5 fails 7 refused x"), [&*ok, &refused]);
        assert_eq!(asked(ProbeKind::Readiness, ""), [""; 0]);
    }

    #[test]
    fn workers_that_write_at_once() {
        // Another has written a result of its own meanwhile, and the state is still to be changed.
        let (noted, state) = note(2, "1 3 passes 6000000000 ok 200 from the app");
        let change = Some(Some(Duration::from_secs(2)));
        assert_eq!(noted, Some(Noted { change, since: Duration::from_secs(6) }));
        let expected = State {
            passes: Some(false),
            since: Duration::from_secs(8),
            reason: Some(Reason::Refused),
            text: "x y".to_owned(),
            results: 7,
        };
        assert_eq!(state, Some(expected));
        // Another has noticed the change.
        let (noted, state) = note(1, "1 4 fails 7000000000 refused x y");
        assert_eq!(noted, Some(Noted { change: None, since: Duration::from_secs(7) }));
        assert_eq!(state.map(|state| state.since), Some(Duration::from_secs(7)));
        // Others are always faster: the next check will tell.
        assert_eq!(note(9, "1 1 passes 5000000000 ok -").0, None);
    }
}
