//! What is recorded of the original probes: by the sidecar's variable and, as far as that cannot say
//! it, by an annotation of the pod.

mod annotation;
mod entry;
mod original;
mod variable;

use super::options::Options;
use super::read::{Container, Env, Pod};
use super::result::Cause;
use crate::probers::VARIABLE;

pub use self::annotation::{Kept, LARGEST_ANNOTATIONS, RESTORE_ANNOTATION};
pub use self::original::{Original, is_https, to_keep};
pub use self::variable::Recorded;

/// All that is recorded in a pod, and where.
pub struct Records<'p, 'a> {
    pub sidecar: &'p Container<'a>,
    pub env: &'p Env<'a>,
    pub recorded: Recorded,
    pub kept: Kept,
}

impl<'p, 'a> Records<'p, 'a> {
    /// Reads what is recorded in a pod.
    ///
    /// # Errors
    /// The pod has no sidecar, or its variable cannot be read: what it is about, and why.
    pub fn read(pod: &'p Pod<'a>, options: &Options) -> Result<Self, (Cause, String)> {
        let Some((sidecar, env)) = pod.sidecar(&options.sidecars) else {
            let names = options.sidecars.join(", ");
            return Err((Cause::NoSidecar, format!("it has no sidecar container ({names})")));
        };
        match Recorded::read(env) {
            Ok(recorded) => Ok(Self { sidecar, env, recorded, kept: Kept::read(pod.annotations) }),
            Err(error) => {
                let reason = format!("{VARIABLE} of {}: {error}", sidecar.name);
                Err((Cause::Variable, reason))
            }
        }
    }
}
