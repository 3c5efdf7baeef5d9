//! Logs probes: a line at info or warn when one changes between passing and failing, all at debug.

use log::{Level, debug, info, log_enabled, warn};

use crate::outcome::Outcome;
use crate::table::Entry;

/// Logs the outcome of a recorded probe or hook, and the status that the client was told.
pub fn recorded(entry: &Entry, outcome: &Outcome, status: u16) {
    let Some(passes) = outcome.passes(entry.kind.is_hook()) else {
        debug!("{}: no answer: {}", entry.name(), text(outcome));
        return;
    };
    let changed = passes == entry.failing.replace(!passes);
    if !changed && !log_enabled!(Level::Debug) {
        return;
    }
    let name = entry.name();
    let text = text(outcome);
    let word = outcome.reason().map_or(String::new(), |reason| [reason.as_str(), ": "].concat());
    let line = [&*u32::from(status).to_string(), " ", &word, text].concat();
    debug!("{name}: {line}");
    match (changed, passes) {
        (false, _) => {}
        (true, true) => info!("{name}: passing: {line}"),
        (true, false) => warn!("{name}: failing: {line}"),
    }
}

/// Logs the answer to a request that asked for no recorded probe.
pub fn unrecorded(outcome: &Outcome, status: u16) {
    debug!("{status} {}", text(outcome));
}

/// The outcome as the log words it.
fn text(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Answered(_) => "from the app",
        Outcome::Abandoned => "the client went away before it",
        _ => outcome.text(),
    }
}
