//! A pod's probes rewritten, and restored: in three steps, each of which a pod's data goes through once.
//!
//! | module | what it does |
//! |---|---|
//! | `read` | reads a pod: its containers, probes, handlers, annotations, the sidecar |
//! | `records` | what is recorded of the original probes, by the variable and an annotation |
//! | `decide` | says what becomes of each probe, and why |
//! | `write` | writes the patch, the warnings and the reports |
//! | `options`, `result` | what goes in besides the pod, and what comes out |
//! | `cause` | what a warning is about, for those who count them |
//! | `status` | the mark of a rewritten pod: what was rewritten, and why the rest was not |
//! | `quantity`, `text` | how much a quantity is; texts of a pod within one line |

mod cause;
mod decide;
mod options;
mod quantity;
mod read;
mod records;
mod result;
mod status;
pub(crate) mod text;
mod write;

use serde_json::Value;

pub(crate) use self::decide::out_of_reach;
pub use self::options::{AGENT_CONTAINER, AgentOptions, AgentResources, AgentUser, Options};
pub use self::read::annotations::{
    AGENT_RESOURCES_ANNOTATION, AGENT_USER_ANNOTATION, EXCLUDE_ANNOTATION,
    ISTIO_REWRITE_ANNOTATION, REWRITE_ANNOTATION, STATUS_PORT_ANNOTATION,
};
pub(crate) use self::read::{JsonObject, Node, Pod, brief};
pub(crate) use self::records::LARGEST_ANNOTATIONS;
pub use self::records::RESTORE_ANNOTATION;
pub use self::result::{Cause, Malformed, ProbeName, Report, Rewrite, Warning};
pub use self::status::STATUS_ANNOTATION;
pub(crate) use self::status::Stayed;
pub(crate) use self::text::quoted;
pub use self::write::add_sidecar;

/// Rewrites the probes of `pod` (a Pod, or a pod template: `metadata` and `spec`).
///
/// # Errors
/// A value of the pod has a type that no pod can have.
pub fn rewrite(pod: &Value, options: &Options) -> Result<Rewrite, Malformed> {
    let pod = Pod::read(pod, &options.sidecars)?;
    Ok(write::write(&pod, decide::rewrite(&pod, options), options))
}

/// Gives back the original probes of a rewritten pod.
///
/// # Errors
/// A value of the pod has a type that no pod can have.
pub fn restore(pod: &Value, options: &Options) -> Result<Rewrite, Malformed> {
    let pod = Pod::read(pod, &options.sidecars)?;
    Ok(write::write(&pod, decide::restore(&pod, options), options))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn without_reports_all_else_is_the_same() {
        let probe = |host: &str| json!({"httpGet": {"port": 80, "host": host}});
        let pod = json!({"spec": {"containers": [
            {"name": "app", "readinessProbe": probe(""), "livenessProbe": probe("elsewhere")},
            {"name": "istio-proxy"},
        ]}});
        for sidecar in ["istio-proxy", "missing"] {
            let with = Options { sidecars: vec![sidecar.to_owned()], ..Options::default() };
            let without = Options { reports: false, ..with.clone() };
            let (with, without) = (rewrite(&pod, &with).unwrap(), rewrite(&pod, &without).unwrap());
            assert_eq!((with.probes.len(), with.warnings.len()), (2, 1), "{sidecar}");
            assert_eq!(without, Rewrite { probes: Vec::new(), ..with }, "{sidecar}");
        }
    }
}
