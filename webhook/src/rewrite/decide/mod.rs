//! What becomes of each probe of a pod, and of the pod, and why. Nothing is written here.
//!
//! | module | what it decides |
//! |---|---|
//! | `redirect` | which probes are sent to the status port, and why others stay |
//! | `record` | what is recorded of a probe |
//! | `restore` | which probes get back what they were |
//! | `agent` | when the agent's container is put in and taken out |
//! | `plan`, `disposition` | what can become of a pod, and of a probe |

mod agent;
mod disposition;
mod plan;
mod record;
mod redirect;
mod restore;

pub use self::disposition::{Destination, Disposition};
pub use self::plan::{AgentChange, Changes, MarkChange, Plan, PlannedProbe, VariableChange};
pub use self::redirect::{out_of_reach, rewrite};
pub use self::restore::restore;
