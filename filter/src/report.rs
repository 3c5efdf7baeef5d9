//! Tells what a check came to: counts it, and logs a line where a probe changes between passing and
//! failing, at most one a minute while it goes on failing, and all at debug.

use std::cell::Cell;
use std::time::Duration;

use log::{Level, debug, info, log_enabled, warn};

use crate::outcome::Outcome;
use crate::process::Process;
use crate::state::{CheckResult, Noted};
use crate::table::{Entry, HandlerAction};

/// The time for which a probe that goes on failing is not logged again.
const REPEATED_AFTER: Duration = Duration::from_secs(60);

/// The failures of a probe that a worker has not logged.
#[derive(Default)]
pub struct Failures(Cell<Option<Unlogged>>);

#[derive(Clone, Copy)]
struct Unlogged {
    /// When a failure was logged, in monotonic time, or the first one noticed.
    since: Duration,
    count: u32,
}

/// Reports the outcome of a recorded probe or hook, and the status that the client was told.
pub fn recorded(
    entry: &Entry,
    outcome: &Outcome,
    status: u16,
    now: &dyn Fn() -> Duration,
    process: &dyn Process,
) {
    let is_hook = entry.kind.is_hook();
    let Some(reason) = outcome.result(is_hook) else { return };
    let passes = outcome.passes(is_hook);
    let text = text(outcome, entry);
    let result = CheckResult { passes, reason, text: &text };
    let noted = entry.memory.note(&entry.key, &entry.labels(), &result, now, process);
    let change = noted.and_then(|noted| noted.change);
    let repeated = match (passes, noted) {
        (Some(false), Some(noted)) => entry.failures.add(&noted, now()),
        (Some(true), _) => entry.failures.forget(),
        _ => None,
    };
    if change.is_none() && repeated.is_none() && !log_enabled!(Level::Debug) {
        return;
    }
    let (name, line) = (entry.name(), line(outcome, status, &text));
    let Some(passes) = passes else {
        debug!("{name}: no answer: {text}");
        return;
    };
    debug!("{name}: {line}");
    let after = change.flatten().map_or(String::new(), |held| after(held, passes));
    match (change, repeated) {
        (Some(_), _) if passes => info!("{name}: passing: {line}{after}"),
        (Some(_), _) => warn!("{name}: failing: {line}{after}"),
        (None, Some(Unlogged { since, count })) => {
            let time = age(now().saturating_sub(since));
            warn!("{name}: still failing, {count} times in {time}: {line}");
        }
        (None, None) => {}
    }
}

/// Logs the answer to a request that asked for no recorded probe.
pub fn unrecorded(outcome: &Outcome, status: u16) {
    debug!("{status} {}", outcome.text());
}

impl Failures {
    /// Adds a failure, and returns those that are to be logged now with it. A change is logged anyway, and
    /// what was before one that another worker has logged does not count.
    fn add(&self, noted: &Noted, now: Duration) -> Option<Unlogged> {
        let before = self.0.get().filter(|before| before.since >= noted.since);
        let Some(before) = before.filter(|_| noted.change.is_none()) else {
            self.0.set(Some(Unlogged { since: now, count: 0 }));
            return None;
        };
        let all = Unlogged { count: before.count.saturating_add(1), ..before };
        let is_due = now.saturating_sub(before.since) >= REPEATED_AFTER;
        self.0.set(Some(if is_due { Unlogged { since: now, count: 0 } } else { all }));
        is_due.then_some(all)
    }

    fn forget(&self) -> Option<Unlogged> {
        self.0.set(None);
        None
    }
}

/// The outcome as log and status page word it.
fn text(outcome: &Outcome, entry: &Entry) -> String {
    match outcome {
        Outcome::Answered(status) => match entry.action {
            Ok(HandlerAction::Tcp { .. }) => "connected".to_owned(),
            Ok(HandlerAction::Grpc(_)) => "SERVING".to_owned(),
            _ => [&*u32::from(*status).to_string(), " from the app"].concat(),
        },
        Outcome::Abandoned => "the client went away before it".to_owned(),
        _ => outcome.text().to_owned(),
    }
}

/// The same with the status in front, and the reason where the app has not answered.
fn line(outcome: &Outcome, status: u16, text: &str) -> String {
    match outcome.reason() {
        Some(reason) => {
            [&*u32::from(status).to_string(), " ", reason.as_str(), ": ", text].concat()
        }
        None => text.to_owned(),
    }
}

/// How long the state before has held, for the end of a line.
fn after(held: Duration, passes: bool) -> String {
    let before = if passes { "failing" } else { "passing" };
    [" (after ", before, " for ", &age(held), ")"].concat()
}

/// A time in its two largest units: `8s`, `3m2s`, `5h12m`, `3d4h`.
fn age(time: Duration) -> String {
    let seconds = time.as_secs();
    let (large, small, names) = match seconds {
        0..60 => return [&*seconds.to_string(), "s"].concat(),
        60..3600 => (seconds / 60, seconds % 60, ["m", "s"]),
        3600..86400 => (seconds / 3600, seconds % 3600 / 60, ["h", "m"]),
        _ => (seconds / 86400, seconds % 86400 / 3600, ["d", "h"]),
    };
    [&*large.to_string(), names[0], &small.to_string(), names[1]].concat()
}
