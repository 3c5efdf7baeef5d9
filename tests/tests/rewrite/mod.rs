//! The rewrite of pods, and back.
//!
//! | module | what it holds |
//! |---|---|
//! | `golden` | pairs of files under `tests/golden`: a manifest, and what becomes of it |
//! | `api` | the types of the Kubernetes API |
//! | `malformed` | pods that no API server would take, one a line |
//! | `sizes` | the longest variable, the largest annotations |
//! | `qos` | a pod's QoS class, by the API server's rules, before and after |
//! | `properties` | what holds for every pod, by proptest over generated ones |
//! | `injection` | the same of pods before Istio's injector reads them |
//! | `reports` | the rows of `--explain` |
//! | `manifests` | where the pods of a manifest are; the minimal sidecar |
//! | `transform` | a pod before and after |
//! | `patches` | JSON Patch against the crate json-patch |

mod api;
mod golden;
mod injection;
mod malformed;
mod manifests;
mod patches;
mod pods;
mod properties;
mod qos;
mod reports;
mod sizes;
mod transform;
pub mod yaml;

use transform::{patched, restored, rewritten, without_empties};
