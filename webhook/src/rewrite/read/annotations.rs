//! The annotations by which a pod chooses, and what holds where it does not.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::node::JsonObject;
use crate::rewrite::options::Options;
use crate::rewrite::result::{Cause, Warning};
use crate::rewrite::text::quoted;

/// Whether the pod is rewritten: true or false as Go's `strconv.ParseBool` reads them. Namespaces and
/// pods have a label of the same name, `enabled` or `disabled`, by which the webhook is asked.
pub const REWRITE_ANNOTATION: &str = "app-health/rewrite";
/// The same, of Istio's rewrite: it counts where the pod does not have ours.
pub const ISTIO_REWRITE_ANNOTATION: &str = "sidecar.istio.io/rewriteAppHTTPProbers";
/// The names of containers whose probes and hooks are left alone, separated by commas.
pub const EXCLUDE_ANNOTATION: &str = "app-health/rewrite-exclude";
/// The port that the pod's probes are sent to.
pub const STATUS_PORT_ANNOTATION: &str = "status.sidecar.istio.io/port";
/// The kubelet's, on the mirror pods of static pods.
pub const MIRROR_ANNOTATION: &str = "kubernetes.io/config.mirror";
/// The resources of the agent's container: JSON, or `none`.
pub const AGENT_RESOURCES_ANNOTATION: &str = "app-health/agent-resources";
/// The user of the agent's container: a number, or `none`.
pub const AGENT_USER_ANNOTATION: &str = "app-health/agent-user";

/// What holds for one pod, and what its user should know about that.
#[derive(Debug, PartialEq)]
pub struct PodSettings {
    pub rewrite: bool,
    pub rewrite_warnings: Vec<String>,
    pub status_port: u16,
    pub status_port_warning: Option<String>,
}

impl PodSettings {
    pub fn read(annotations: Option<&JsonObject>, options: &Options) -> Self {
        let text = |name| annotations.and_then(|all| all.get(name)?.as_str());
        let (ours, istios) = (text(REWRITE_ANNOTATION), text(ISTIO_REWRITE_ANNOTATION));
        let (rewrite, rewrite_warnings) = rewrite(ours, istios, options);
        let (status_port, status_port_warning) = status_port(text(STATUS_PORT_ANNOTATION), options);
        PodSettings { rewrite, rewrite_warnings, status_port, status_port_warning }
    }
}

fn rewrite(ours: Option<&str>, istios: Option<&str>, options: &Options) -> (bool, Vec<String>) {
    let (rewrite, holds) = match (ours.and_then(parse_bool), istios.and_then(parse_bool)) {
        (Some(ours), _) => return (ours, Vec::new()),
        (None, Some(istios)) => (istios, "Istio's"),
        (None, None) => (options.default_rewrite, "the default"),
    };
    let rewriting = if rewrite { "rewriting" } else { "no rewriting" };
    let warning = |(name, text): (&str, Option<&str>)| {
        let text = quoted(text.filter(|text| parse_bool(text).is_none())?);
        Some(format!(
            "annotation {name}: {text} is neither true nor false; {holds} holds, {rewriting}"
        ))
    };
    let both = [(REWRITE_ANNOTATION, ours), (ISTIO_REWRITE_ANNOTATION, istios)];
    (rewrite, both.into_iter().filter_map(warning).collect())
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// The names of the containers whose probes are left alone.
pub fn excluded(annotations: Option<&JsonObject>) -> BTreeSet<&str> {
    let text = annotations.and_then(|all| all.get(EXCLUDE_ANNOTATION)?.as_str());
    let names = text.into_iter().flat_map(|text| text.split(',')).map(str::trim);
    names.filter(|name| !name.is_empty()).collect()
}

fn status_port(annotation: Option<&str>, options: &Options) -> (u16, Option<String>) {
    let default = options.status_port;
    let Some(text) = annotation else { return (default, None) };
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let problem = match text.parse().ok().filter(|port| digits && *port != 0) {
        Some(port) if port == default => return (port, None),
        Some(port) => {
            let warning = format!(
                "annotation {STATUS_PORT_ANNOTATION}: the probes go to port {port}, so app-health's listener has to be there instead of on {default}"
            );
            return (port, Some(warning));
        }
        None => format!("{} is no port from 1 to 65535; {default} holds", quoted(text)),
    };
    (default, Some(format!("annotation {STATUS_PORT_ANNOTATION}: {problem}")))
}

/// What the pod says of its agent, by one of the annotations. An empty one is as good as none.
pub fn of_agent<T: FromStr<Err = String>>(
    annotations: Option<&JsonObject>,
    name: &str,
    warnings: &mut Vec<Warning>,
) -> Option<T> {
    let text = annotations?.get(name)?.as_str().filter(|text| !text.is_empty())?;
    let warning = |problem: String| {
        let reason = format!("annotation {name}: {problem}; the default holds");
        Warning::of_pod(Cause::Annotation, reason)
    };
    text.parse().map_err(|problem| warnings.push(warning(problem))).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(annotation: &str, text: &str, options: &Options) -> PodSettings {
        PodSettings::read(json!({annotation: text}).as_object(), options)
    }

    /// The texts that Go's ParseBool takes; their absence is tested by what it does not take.
    #[test]
    fn a_rewrite_annotation_is_a_bool_of_go() {
        for (text, value) in [
            ("1 t T TRUE true True", Some(true)),
            ("0 f F FALSE false False", Some(false)),
            ("tRue yes on 2 -1 null enabled disabled", None),
        ] {
            for (text, name) in text.split(' ').flat_map(|text| BOTH.map(|name| (text, name))) {
                for default_rewrite in [true, false] {
                    let options = Options { default_rewrite, ..Options::default() };
                    let read = settings(name, text, &options);
                    assert_eq!(read.rewrite, value.unwrap_or(default_rewrite), "{text}");
                    assert_eq!(read.rewrite_warnings.is_empty(), value.is_some(), "{text}");
                }
            }
        }
        for text in ["", " true", "true ", "true\n"] {
            for name in BOTH {
                let read = settings(name, text, &Options::default());
                assert_eq!(read.rewrite_warnings.len(), 1, "{text:?}");
            }
        }
    }

    const BOTH: [&str; 2] = [REWRITE_ANNOTATION, ISTIO_REWRITE_ANNOTATION];

    #[test]
    fn our_rewrite_annotation_wins_where_it_says_anything() {
        for (ours, istios, rewrite, warnings) in [
            ("true", "false", true, vec![]),
            ("false", "true", false, vec![]),
            ("true", "maybe", true, vec![]),
            ("maybe", "false", false, vec!["Istio's holds, no rewriting"]),
            ("maybe", "true", true, vec!["Istio's holds, rewriting"]),
            ("maybe", "never", true, vec!["the default holds, rewriting"; 2]),
        ] {
            let pod = json!({REWRITE_ANNOTATION: ours, ISTIO_REWRITE_ANNOTATION: istios});
            let read = PodSettings::read(pod.as_object(), &Options::default());
            assert_eq!(read.rewrite, rewrite, "{ours} {istios}");
            let ends = read.rewrite_warnings.iter().map(|it| it.split_once("; ").unwrap().1);
            let said: Vec<_> = ends.collect();
            assert_eq!(said, warnings, "{ours} {istios}");
        }
    }

    #[test]
    fn excluded_names_are_separated_by_commas() {
        for (text, names) in [
            ("", vec![]),
            (" , ,", vec![]),
            ("a", vec!["a"]),
            ("b, a ,b,", vec!["a", "b"]),
            ("a b", vec!["a b"]),
        ] {
            let pod = json!({EXCLUDE_ANNOTATION: text});
            let read: Vec<_> = excluded(pod.as_object()).into_iter().collect();
            assert_eq!(read, names, "{text:?}");
        }
    }

    #[test]
    fn the_status_port_annotation_is_digits() {
        for (text, port) in [
            ("1", Some(1)),
            ("65535", Some(65535)),
            ("015021", Some(15021)),
            ("", None),
            ("0", None),
            ("65536", None),
            ("99999999999999999999", None),
            ("+80", None),
            ("-80", None),
            (" 80", None),
            ("80\n", None),
            ("0x50", None),
            ("٣", None),
        ] {
            let read = settings(STATUS_PORT_ANNOTATION, text, &Options::default());
            assert_eq!(read.status_port, port.unwrap_or(15020), "{text:?}");
            let says = if port.is_some() { "listener has to be there" } else { "is no port" };
            assert!(read.status_port_warning.unwrap().contains(says), "{text:?}");
        }
        let read = settings(STATUS_PORT_ANNOTATION, "15020", &Options::default());
        assert_eq!((read.status_port, read.status_port_warning), (15020, None));
    }
}
