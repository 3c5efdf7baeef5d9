//! The running checks: how many at once, and how long.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, error::Elapsed, timeout_at};

use super::dial::dial;
use crate::net::reason;

/// A check that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// The port that should accept.
    pub to: SocketAddr,
    /// The time for everything, the wait for a turn included. None: no limit of our own.
    pub limit: Option<Duration>,
}

/// All checks.
pub struct Checks {
    most: usize,
    turns: Semaphore,
}

impl Checks {
    /// At most `most` at once; more wait for their turn, first come, first served.
    pub fn new(most: usize) -> Self {
        Self { most, turns: Semaphore::new(most) }
    }

    /// Makes the check, whose time began at `began`.
    ///
    /// # Errors
    /// One line that says why the port did not accept.
    pub async fn run(&self, check: Check, began: Instant) -> Result<(), String> {
        let Check { to, limit } = check;
        // A limit beyond the clock's end is none.
        let deadline = limit.and_then(|limit| began.checked_add(limit));
        let ms = limit.unwrap_or_default().as_millis();
        // The semaphore is never closed, so this is always a turn.
        let _turn = within(deadline, self.turns.acquire())
            .await
            .map_err(|_| format!("{to}: {} checks already running for {ms} ms", self.most))?;
        within(deadline, dial(to))
            .await
            .map_err(|_| format!("{to}: no connection within {ms} ms"))?
            .map_err(|error| format!("{to}: {}", reason(&error)))
    }
}

async fn within<T>(deadline: Option<Instant>, work: impl Future<Output = T>) -> Result<T, Elapsed> {
    match deadline {
        Some(deadline) => timeout_at(deadline, work).await,
        None => Ok(work.await),
    }
}
