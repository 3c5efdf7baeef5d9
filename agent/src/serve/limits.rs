//! How much at once, by the descriptors that the system grants.

use std::time::Duration;

use crate::net::connections::Bounds;

/// The time to send the first request, from its first byte to the end of its head.
const FIRST_REQUEST: Duration = Duration::from_secs(5);

/// The time to send another one. Longer than Envoy keeps an idle connection, so that it is Envoy
/// who closes: closed from here, it might be in use again at that moment.
const NEXT_REQUEST: Duration = Duration::from_secs(30);

/// Descriptors that are neither connections nor dials: stdio, the listener, the event loop,
/// signals, the list of interfaces, one connection that waits for its place.
const RESERVED: u64 = 24;

/// What may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections. Each has a check at most, which has a descriptor of its own.
    pub open: usize,
    /// Of the open ones, those that have sent no request yet, or no other one.
    pub waiting: usize,
}

/// With descriptors enough.
const FULL: Limits = Limits { open: 1024, waiting: 512 };

impl Limits {
    /// The full limits, or the same proportions where `descriptors` are fewer.
    pub fn for_descriptors(descriptors: u64) -> Self {
        let wanted = 2 * FULL.open as u64;
        let granted = descriptors.saturating_sub(RESERVED).min(wanted);
        // No overflow and no loss: both factors are small.
        let share = |full: usize| ((full as u64 * granted / wanted) as usize).max(1);
        let limits = Self { open: share(FULL.open), waiting: share(FULL.waiting) };
        if limits != FULL {
            log::warn!(
                "at most {} checks at once: RLIMIT_NOFILE is {descriptors}, {} would do",
                limits.open,
                wanted + RESERVED
            );
        }
        limits
    }

    /// Those of the connections.
    pub fn bounds(&self) -> Bounds {
        Bounds {
            open: self.open,
            waiting: self.waiting,
            first_request: FIRST_REQUEST,
            next_request: NEXT_REQUEST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_shrink_with_the_descriptors() {
        for (descriptors, open, waiting) in [
            (u64::MAX, 1024, 512),
            (2072, 1024, 512),
            (1024, 500, 250),
            (64, 20, 10),
            (24, 1, 1),
            (0, 1, 1),
        ] {
            assert_eq!(Limits::for_descriptors(descriptors), Limits { open, waiting });
        }
    }
}
