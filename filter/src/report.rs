//! What is logged of a probe: one line where it changes between passing and failing.

use log::{Level, debug, info, log_enabled, warn};

use crate::outcome::Outcome;
use crate::table::Entry;

/// Logs what a recorded probe came to, and whether that is a change.
pub fn recorded(entry: &Entry, outcome: &Outcome) {
    let Some(passes) = outcome.passes(entry.kind.is_hook()) else {
        debug!("{}: no answer: {}", entry.name(), said(outcome));
        return;
    };
    let changed = passes == entry.failing.replace(!passes);
    if !changed && !log_enabled!(Level::Debug) {
        return;
    }
    let name = entry.name();
    let status = u32::from(outcome.status()).to_string();
    let reason = said(outcome);
    debug!("{name}: {status} {reason}");
    match (changed, passes) {
        (false, _) => {}
        (true, true) => info!("{name}: passing: {status} {reason}"),
        (true, false) => warn!("{name}: failing: {status} {reason}"),
    }
}

/// Logs what was answered where no recorded probe was asked for.
pub fn unrecorded(outcome: &Outcome) {
    debug!("{} {}", outcome.status(), said(outcome));
}

/// What a line of the log says of it.
fn said(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Answered(_) => "from the app",
        Outcome::Failed { reason, .. } | Outcome::Declined { reason, .. } => reason,
        Outcome::Abandoned => "the client went away before it",
    }
}
