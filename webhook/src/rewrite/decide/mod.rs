//! What becomes of each probe of a pod, and of the pod, and why. Nothing is written here.
//!
//! | module | what it decides |
//! |---|---|
//! | `forward` | which probes are rewritten, and why others stay |
//! | `record` | what is recorded of a probe |
//! | `back` | which probes get back what they were |
//! | `agent` | when the agent's container is put in and taken out |
//! | `plan`, `disposition` | what can become of a pod, and of a probe |

mod agent;
mod back;
mod disposition;
mod forward;
mod plan;
mod record;

pub use self::back::restore;
pub use self::disposition::{Destination, Disposition};
pub use self::forward::rewrite;
pub use self::plan::{AgentChange, Changes, Plan, PlannedProbe, VariableChange};
