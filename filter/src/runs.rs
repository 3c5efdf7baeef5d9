//! How many checks of one entry are under way.

use std::cell::Cell;
use std::time::Duration;

/// How many runs of one hook each worker of Envoy has under way; those beyond it fail. The kubelet
/// runs a hook once: only others come in numbers, and a hook that stalls has no time-out.
const MOST_HOOKS: u32 = 16;

/// How long a call that nobody waits for counts: longer than hooks take.
const LEFT: Duration = Duration::from_secs(3600);

/// The checks of one entry.
#[derive(Default)]
pub struct Runs {
    /// Those whose client waits.
    under_way: Cell<u32>,
    /// Those whose client has gone while a dispatched call was under way. The crate proxy-wasm tells
    /// nobody of its end.
    left: Cell<u32>,
    /// When these count no more, in monotonic time.
    until: Cell<Duration>,
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

    /// It has gone, and a call goes on.
    pub fn leave(&self, now: Duration) {
        self.left.set(self.left.get().saturating_add(1));
        self.until.set(now.saturating_add(LEFT));
    }

    /// Whether no client waits.
    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.under_way.get() == 0
    }

    /// Whether there are more than a hook may have, the one that has just begun included.
    pub fn are_too_many(&self, now: Duration) -> bool {
        if now >= self.until.get() {
            self.left.set(0);
        }
        self.under_way.get().saturating_add(self.left.get()) > MOST_HOOKS
    }
}
