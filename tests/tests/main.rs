//! One test binary; each module is one part of the contract.

/// The tools of these tests, tried on each other.
mod tools;
