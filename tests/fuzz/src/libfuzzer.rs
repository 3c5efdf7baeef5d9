//! The targets for libFuzzer: scripts/fuzz.
