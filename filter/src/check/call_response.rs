//! What tells the answer of a dispatched HTTP call from one that Envoy has made in its place.

use super::step::{Facts, Source};

/// Envoy adds it to what the upstream itself has answered.
const GENUINE_HEADER: &str = "x-envoy-upstream-service-time";

/// Whether the answer is the upstream's.
pub fn is_from_upstream(facts: &dyn Facts) -> bool {
    facts.header(Source::Dispatched, GENUINE_HEADER).is_some()
}

/// The answer's text. Of a failure, where the call's Content-Type is gRPC's, it is in a header.
pub fn response_text(facts: &dyn Facts) -> String {
    let body = facts.call_body();
    let message = || facts.header(Source::Dispatched, "grpc-message");
    let text = if body.is_empty() { message().unwrap_or_default() } else { body };
    String::from_utf8_lossy(&text).into_owned()
}
