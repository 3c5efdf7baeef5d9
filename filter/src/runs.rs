//! Counts the checks of an entry that are under way, to limit those of a hook.

use std::cell::Cell;
use std::time::Duration;

/// The most runs of one hook that a worker of Envoy has under way, and the most dispatched calls for
/// them. Runs beyond that fail. The kubelet runs a hook once: only other clients come in numbers.
const MOST_HOOKS: usize = 16;

/// How long a dispatched call of a hook may take. The call goes on when its client has gone, and the
/// crate proxy-wasm then tells nobody of its end.
pub const LONGEST_CALL: Duration = Duration::from_secs(3600);

/// The checks of one entry that are under way.
#[derive(Default)]
pub struct Runs {
    /// How many clients wait.
    clients: Cell<usize>,
    /// When each dispatched call of a hook ends at the latest, in monotonic time.
    calls: Cell<Vec<Duration>>,
}

impl Runs {
    pub fn begin(&self) {
        self.clients.set(self.clients.get().saturating_add(1));
    }

    pub fn end(&self) {
        self.clients.set(self.clients.get().saturating_sub(1));
    }

    /// Whether a hook has too many runs under way, with the one that has just begun.
    pub fn are_too_many(&self) -> bool {
        self.clients.get() > MOST_HOOKS
    }

    /// Begins a dispatched call of a hook, and returns when it will have ended; `None` where the hook has
    /// too many calls under way.
    pub fn begin_call(&self, now: Duration) -> Option<Duration> {
        let mut calls = self.calls.take();
        calls.retain(|until| *until > now);
        let until = (calls.len() < MOST_HOOKS).then(|| now.saturating_add(LONGEST_CALL));
        calls.extend(until);
        self.calls.set(calls);
        until
    }

    /// Ends the dispatched call for which [`Self::begin_call`] returned this time.
    pub fn end_call(&self, until: Duration) {
        let mut calls = self.calls.take();
        if let Some(at) = calls.iter().position(|other| *other == until) {
            calls.swap_remove(at);
        }
        self.calls.set(calls);
    }

    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.clients.get() == 0
    }
}
