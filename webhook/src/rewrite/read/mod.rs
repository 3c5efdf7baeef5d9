//! Reading a pod, as far as rewriting and restoring need it. All that can be malformed is found here.

pub mod annotations;
mod container;
mod env;
mod handler;
mod node;
mod pod;
mod probe;
mod resources;
mod windows;

pub use self::container::{Container, List};
pub use self::env::Env;
pub use self::handler::{Action, Port, ProbeHandler, Target};
pub use self::node::{JsonObject, Node, brief, present};
pub use self::pod::{PULL_SECRETS, Pod};
pub use self::probe::Probe;
pub use self::resources::Resources;
