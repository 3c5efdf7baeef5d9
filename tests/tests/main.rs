//! One test binary; each module is one part of the contract.

/// What ARCHITECTURE.md names.
mod architecture;
/// The script that tries all of it in a real cluster.
mod cluster_test;
/// The contract of port 15020, against the real `.wasm` in the host emulator.
mod contract;
/// What the packages depend on.
mod crates;
/// Through the real Envoy, with the shipped configuration.
mod envoy;
/// What goes wrong around the filter, and how soon all is right again.
mod faults;
/// The real func-e, with the shipped configuration as it is.
mod func_e;
/// The proxy-wasm host emulator: Envoy as the filter sees it.
mod host;
/// The images that `scripts/image` makes.
mod image;
/// The types of the Kubernetes API.
mod kubernetes;
/// What is applied to a cluster: the manifests of the admission webhook.
mod manifests;
/// A pod whose traffic is intercepted, on one machine.
mod mesh;
/// Rules and dashboard over the metrics.
mod monitoring;
/// The workflows, and what else makes a release.
mod release;
/// The rewrite of pods, and back: golden pairs of files, tables of bad input, properties.
mod rewrite;
/// The tools of these tests, tried on each other.
mod tools;
/// The tables of reasons in the texts.
mod vocabulary;
