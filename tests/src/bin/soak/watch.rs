//! Whether the machine lets this program run: where it does not, a verdict says nothing.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

const BEAT: Duration = Duration::from_millis(10);
/// Far less than any state is from a timeout.
const HELD_UP: Duration = Duration::from_millis(100);

/// Wakes up all the time, and notes when it is woken late.
pub struct Watch(Mutex<Seen>);

struct Seen {
    last: Instant,
    held_up: Option<Instant>,
}

impl Default for Watch {
    fn default() -> Self {
        Self(Mutex::new(Seen { last: Instant::now(), held_up: None }))
    }
}

impl Watch {
    /// Until the end, and a while longer than any question lasts.
    pub fn run(&self, end: Instant) {
        while Instant::now() < end {
            thread::sleep(BEAT);
            self.0.lock().expect("no thread panics").beat(Instant::now());
        }
    }

    /// At any time from then on.
    pub fn was_held_up(&self, since: Instant) -> bool {
        let mut seen = self.0.lock().expect("no thread panics");
        // It may be this moment that it should have been woken.
        seen.note(Instant::now());
        seen.held_up.is_some_and(|end| end > since)
    }
}

impl Seen {
    fn beat(&mut self, now: Instant) {
        self.note(now);
        self.last = now;
    }

    fn note(&mut self, now: Instant) {
        if now.saturating_duration_since(self.last) > HELD_UP {
            self.held_up = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_beat_counts_for_what_was_under_way() {
        let start = Instant::now();
        let mut seen = Seen { last: start, held_up: None };
        seen.beat(start + BEAT);
        assert_eq!(seen.held_up, None);
        let late = start + BEAT + HELD_UP + BEAT;
        seen.beat(late);
        assert_eq!(seen.held_up, Some(late));
        seen.beat(late + BEAT);
        assert_eq!(seen.held_up, Some(late));
    }
}
