//! Waiting for something that has to come. The limit is so long that a busy machine does not reach it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The longest wait for something that should come at once.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until `holds` returns true.
///
/// # Panics
/// When that takes longer than [`PATIENCE`]; the message names `what`.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    until_ok(PATIENCE, || if holds() { Ok(()) } else { Err(what) });
}

/// Polls until `value` returns one.
///
/// # Panics
/// When that takes longer than `limit`; the message is the last error.
#[track_caller]
pub fn until_ok<T, E>(limit: Duration, mut value: impl FnMut() -> Result<T, E>) -> T
where
    E: std::fmt::Display,
{
    let deadline = Instant::now() + limit;
    loop {
        match value() {
            Ok(value) => return value,
            Err(error) => assert!(Instant::now() < deadline, "not in time: {error}"),
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Ends other threads, however a test ends.
pub struct SetAtEnd<'a>(pub &'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
