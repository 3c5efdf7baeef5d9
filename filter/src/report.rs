//! Logs probes: a line at info or warn when one changes between passing and failing, all at debug.

use log::{Level, debug, info, log_enabled, warn};

use crate::outcome::Outcome;
use crate::table::Entry;

/// Logs the outcome of a recorded probe or hook.
pub fn recorded(entry: &Entry, outcome: &Outcome) {
    let Some(passes) = outcome.passes(entry.kind.is_hook()) else {
        debug!("{}: no answer: {}", entry.name(), text(outcome));
        return;
    };
    let changed = passes == entry.failing.replace(!passes);
    if !changed && !log_enabled!(Level::Debug) {
        return;
    }
    let name = entry.name();
    let status = u32::from(outcome.status()).to_string();
    let reason = text(outcome);
    debug!("{name}: {status} {reason}");
    match (changed, passes) {
        (false, _) => {}
        (true, true) => info!("{name}: passing: {status} {reason}"),
        (true, false) => warn!("{name}: failing: {status} {reason}"),
    }
}

/// Logs the answer to a request that asked for no recorded probe.
pub fn unrecorded(outcome: &Outcome) {
    debug!("{} {}", outcome.status(), text(outcome));
}

/// The outcome as the log words it.
fn text(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Answered(_) => "from the app",
        Outcome::Failed { reason, .. } | Outcome::Declined { reason, .. } => reason,
        Outcome::Abandoned => "the client went away before it",
    }
}
