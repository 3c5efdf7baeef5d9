//! The contract of port 15020, through the real Envoy.
