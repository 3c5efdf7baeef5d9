//! Asks as the kubelet's probers do (Kubernetes 1.36), and concludes what it would conclude.
//!
//! Redirects are followed and TLS is spoken only where that is asked for: towards the status port
//! it never is.

mod bytes;
mod dial;
mod get;
mod grpc;
mod http1;
mod http2;
mod pod;
mod redirect;
mod tcp;
mod tls;

use std::fmt;
use std::io;
use std::time::Duration;

pub use bytes::{send_bytes, until_closed};
pub use dial::Security;
pub use get::Get;
pub use grpc::{grpc, grpc_tls};
pub use http1::Answer;
pub use http2::http2;
pub use pod::{Probe, probes};
pub use tcp::tcp;

/// The kubelet's own default where a probe has no `timeoutSeconds`.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);

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
    /// Of an httpGet probe's outcome.
    pub fn of(outcome: &io::Result<Answer>) -> Self {
        match outcome {
            Ok(Answer { status: 200..=299, .. }) => Verdict::Success,
            Ok(Answer { status: 300..=399, .. }) => Verdict::Warning,
            _ => Verdict::Failure,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Success => "success",
            Verdict::Warning => "warning",
            Verdict::Failure => "failure",
        })
    }
}
