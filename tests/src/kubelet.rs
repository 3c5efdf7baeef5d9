//! Asks as the kubelet's probers do, and concludes what it would conclude. What is sent and what follows
//! from an answer is the library's (`webhook/src/kubelet/`); sockets, TLS and the clock are here.
//!
//! Redirects are followed and TLS is spoken only where that is asked for: towards the status port
//! it never is.

mod bytes;
mod dial;
mod get;
mod grpc;
mod http2;
mod pod;
mod tcp;
mod tls;

pub use app_health_webhook::kubelet::{Answer, DEFAULT_TIMEOUT, Verdict};
pub use bytes::{send_bytes, until_closed};
pub use get::Get;
pub use grpc::{grpc, grpc_tls};
pub use http2::http2;
pub use pod::{Probe, probes};
pub use tcp::tcp;

/// The status and the body of an answer, for tables of cases.
///
/// # Panics
/// Where the body is no text.
pub fn pair(answer: &Answer) -> (u16, &str) {
    (answer.status, str::from_utf8(&answer.body).expect("text"))
}
