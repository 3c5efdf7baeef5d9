//! One test binary; each module is one part of the contract.

/// The contract of port 15020, against the real `.wasm` in the host emulator.
mod contract;
/// The proxy-wasm host emulator: Envoy as the filter sees it.
mod host;
