//! One test binary; each module is one part of the contract.

// The rewrite of pods, and back: golden pairs of files, tables of bad input, properties.
mod rewrite;
