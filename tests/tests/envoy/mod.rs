//! The contract of port 15020, through the real Envoy with the shipped configuration. Each test has
//! an Envoy of its own, and as many cases as can share it.

/// What the app answers, and what the kubelet then gets.
mod answers;
/// How the answer is judged.
mod want;
