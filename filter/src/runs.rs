//! How many checks of one entry are under way.

use std::cell::Cell;
use std::time::Duration;

/// How many runs of one hook each worker of Envoy has under way, and how many dispatched calls of
/// them; those beyond it fail. The kubelet runs a hook once: only others come in numbers.
const MOST_HOOKS: usize = 16;

/// How long a hook's dispatched call may take. It goes on when its client has gone, and the crate
/// proxy-wasm tells nobody of its end then.
pub const LONGEST_CALL: Duration = Duration::from_secs(3600);

/// The checks of one entry.
#[derive(Default)]
pub struct Runs {
    /// Those whose client waits.
    under_way: Cell<usize>,
    /// When each dispatched call of a hook ends at the latest, in monotonic time.
    calls: Cell<Vec<Duration>>,
}

impl Runs {
    /// A client asks.
    pub fn begin(&self) {
        self.under_way.set(self.under_way.get().saturating_add(1));
    }

    /// It has its answer, or has gone.
    pub fn end(&self) {
        self.under_way.set(self.under_way.get().saturating_sub(1));
    }

    /// Whether there are more than a hook may have, the one that has just begun included.
    pub fn are_too_many(&self) -> bool {
        self.under_way.get() > MOST_HOOKS
    }

    /// A hook is to be dispatched: when that ends at the latest. `None`: there are too many already.
    pub fn begin_call(&self, now: Duration) -> Option<Duration> {
        let mut calls = self.calls.take();
        calls.retain(|until| *until > now);
        let until = (calls.len() < MOST_HOOKS).then(|| now.saturating_add(LONGEST_CALL));
        calls.extend(until);
        self.calls.set(calls);
        until
    }

    /// The call that was to end then has ended.
    pub fn end_call(&self, until: Duration) {
        let mut calls = self.calls.take();
        if let Some(at) = calls.iter().position(|other| *other == until) {
            calls.swap_remove(at);
        }
        self.calls.set(calls);
    }

    /// Whether no client waits.
    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.under_way.get() == 0
    }
}
