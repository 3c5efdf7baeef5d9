//! The kubelet's probers, as far as they decide: what is sent, how an answer is read, and what follows
//! from it. Whoever asks brings the sockets, TLS and the clock.
//!
//! By Kubernetes 1.37 (`pkg/probe/http`, `pkg/probe/grpc`, `pkg/probe/tcp`, `pkg/kubelet/lifecycle`) and
//! by what they stand on, Go's `net/http` and `net/textproto`.
//!
//! | module | what it decides |
//! |---|---|
//! | [`get`] | the request of an `httpGet`, and where a redirect leads |
//! | [`reading`] | an answer of HTTP/1, as far as it is read |
//! | [`grpc`] | the call of a `grpc`, and what its answer means |

use alloc::string::String;
use core::fmt;
use core::time::Duration;
use std::io::ErrorKind;

use crate::reason::Reason;

pub mod get;
pub mod grpc;
pub mod reading;

pub use get::Get;
pub use reading::{Answer, Read, Reading};

/// The name that it gives itself: of the version that is the measure.
macro_rules! agent {
    ($name:literal) => {
        concat!($name, "/1.37")
    };
}
use agent;

/// The kubelet's own default where a probe has no `timeoutSeconds`. It covers the dial, all redirects and
/// the body.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);

/// So much is read of a body. Whatever comes behind it does not matter.
pub const BODY_LIMIT: usize = 10_240;

/// Why there is no answer that can be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub reason: Reason,
    /// For people.
    pub text: String,
}

impl Failure {
    fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self { reason, text: text.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl core::error::Error for Failure {}

/// What the kubelet makes of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The container is well.
    Success,
    /// Counts as a success, and raises the event `ProbeWarning`.
    Warning,
    /// Counts towards `failureThreshold`.
    Failure,
}

impl Verdict {
    /// Of the status of an httpGet probe's answer.
    pub fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Verdict::Success,
            300..=399 => Verdict::Warning,
            _ => Verdict::Failure,
        }
    }

    /// Of an httpGet probe's outcome.
    pub fn of<E>(outcome: &Result<Answer, E>) -> Self {
        outcome.as_ref().map_or(Verdict::Failure, |answer| Self::of_status(answer.status))
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Success => "success",
            Verdict::Warning => "warning",
            Verdict::Failure => "failure",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether a dial that ended so was accepted, which is all that a `tcpSocket` asks: the connection was
/// made, or it could not have been reset. A closed port refuses.
pub fn is_accepted(error: ErrorKind) -> bool {
    matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        for (status, verdict) in [
            (101, Verdict::Failure),
            (199, Verdict::Failure),
            (200, Verdict::Success),
            (299, Verdict::Success),
            (300, Verdict::Warning),
            (399, Verdict::Warning),
            (400, Verdict::Failure),
            (600, Verdict::Failure),
        ] {
            assert_eq!(Verdict::of_status(status), verdict, "{status}");
        }
        assert_eq!(Verdict::of(&Err(())), Verdict::Failure);
    }

    #[test]
    fn a_reset_port_has_accepted() {
        for (error, accepted) in [
            (ErrorKind::ConnectionReset, true),
            (ErrorKind::BrokenPipe, true),
            (ErrorKind::ConnectionRefused, false),
            (ErrorKind::TimedOut, false),
        ] {
            assert_eq!(is_accepted(error), accepted, "{error}");
        }
    }
}
