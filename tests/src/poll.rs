//! Waiting for what has to come, without a bound that a busy machine could break.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that should come at once.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until it holds.
///
/// # Panics
/// Where that does not come, with what was waited for.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    until_ok(PATIENCE, || if holds() { Ok(()) } else { Err(what) });
}

/// Polls until there is a value.
///
/// # Panics
/// Where that does not come within the limit, with the last error.
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
