//! The response to a dispatched HTTP call: the upstream's, or one that Envoy has made in its place.

use super::step::{Facts, Source};

/// Envoy adds this header to the upstream's own responses only.
const UPSTREAM_HEADER: &str = "x-envoy-upstream-service-time";

pub fn is_from_upstream(facts: &dyn Facts) -> bool {
    facts.header(Source::Dispatched, UPSTREAM_HEADER).is_some()
}

/// The text of the response. If the call has a gRPC Content-Type, Envoy puts the text of a failure into a
/// header.
pub fn response_text(facts: &dyn Facts) -> String {
    let body = facts.call_body();
    let message = || facts.header(Source::Dispatched, "grpc-message");
    let text = if body.is_empty() { message().unwrap_or_default() } else { body };
    String::from_utf8_lossy(&text).into_owned()
}
