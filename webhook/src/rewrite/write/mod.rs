//! A plan written: the patch, the warnings and the reports.
//!
//! | module | what it writes |
//! |---|---|
//! | `probe` | what changes in a probe |
//! | `variable` | the sidecar's environment |
//! | `annotations` | the annotation that keeps what the variable cannot say, and the mark |
//! | `agent`, `containers` | the agent's container, and how any is put in |
//! | `report` | what became of a probe, for people |
//! | `sidecar` | a minimal sidecar, to try a rewrite out |

mod agent;
mod annotations;
mod containers;
mod probe;
mod report;
mod sidecar;
mod variable;

pub use self::sidecar::add_sidecar;

use super::decide::{Changes, Plan};
use super::options::Options;
use super::read::Pod;
use super::result::Rewrite;

/// Writes what is to become of a pod.
pub fn write(pod: &Pod<'_>, plan: Plan<'_, '_>, options: &Options) -> Rewrite {
    let mut rewrite = Rewrite { warnings: plan.warnings, ..Rewrite::default() };
    for planned in plan.probes {
        probe::write(&planned, &mut rewrite.patch);
        report::write(&planned, options, &mut rewrite);
    }
    if let Some(Changes { records, variable, mark, agent }) = plan.changes {
        variable::write(&records, &variable, &mut rewrite.patch);
        annotations::write(pod, &records, &mark, &mut rewrite);
        // It may move other containers, so it has to be the last of the patch.
        agent::write(pod, records.sidecar, &agent, options, &mut rewrite);
    }
    rewrite
}
