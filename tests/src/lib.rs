//! What the tests, the demos, the benchmark and the soak are made of.
//!
//! | module | what it is |
//! |---|---|
//! | [`poll`] | waiting for what has to come |
//! | [`kubelet`] | asks as the kubelet does, and concludes what it would conclude |
//! | [`api_server`], [`authority`] | asks the webhook as an API server does; certificates |
//! | [`cluster`] | an API server that keeps a few objects |
//! | [`app`] | real apps on loopback that answer by a script, and record what they were asked; one that changes |
//! | [`envoy`] | the real Envoy with the shipped configuration, and the agent beside it |
//! | [`entries`] | what the variable holds |
//! | [`health`] | the messages of the gRPC health service |
//! | [`manifest`], [`kustomize`], [`helm`] | manifests as JSON: those of the project, and what the real Kustomize and Helm make of them |
//! | [`mesh`] | a pod whose traffic is intercepted, and the node beside it, in namespaces |
//! | [`net`] | ports and descriptors |
//! | [`open_files`] | what a running program holds open |
//! | [`process`] | programs that never outlive the test, and programs that run to their end |
//! | [`usage`] | what a running program has used |
//! | [`program`], [`wasm`] | the project's own binaries, built once a process |

pub mod api_server;
pub mod app;
pub mod authority;
pub mod cluster;
pub mod entries;
pub mod envoy;
pub mod health;
pub mod helm;
pub mod kubelet;
pub mod kustomize;
pub mod manifest;
pub mod mesh;
pub mod net;
pub mod open_files;
pub mod poll;
pub mod process;
pub mod program;
pub mod usage;
pub mod wasm;

use std::sync::OnceLock;

use tokio::runtime::Runtime;

/// Where the apps run; the tests themselves are blocking code.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("tokio starts"))
}
