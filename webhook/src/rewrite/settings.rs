//! The annotations by which a pod chooses, and what holds where it does not.

use super::Options;
use super::node::{Object, quoted};

/// Whether the pod is rewritten: true or false as Go's `strconv.ParseBool` reads them.
pub const REWRITE_ANNOTATION: &str = "sidecar.istio.io/rewriteAppHTTPProbers";
/// The port that the pod's probes are sent to.
pub const STATUS_PORT_ANNOTATION: &str = "status.sidecar.istio.io/port";

/// What holds for one pod, and what its user should know about that.
#[derive(Debug, PartialEq)]
pub(super) struct Settings {
    pub rewrite: bool,
    pub rewrite_warning: Option<String>,
    pub status_port: u16,
    pub status_port_warning: Option<String>,
}

impl Settings {
    pub fn read(annotations: Option<&Object>, options: &Options) -> Self {
        let text = |name| annotations.and_then(|all| all.get(name)?.as_str());
        let (rewrite, rewrite_warning) = rewrite(text(REWRITE_ANNOTATION), options);
        let (status_port, status_port_warning) = status_port(text(STATUS_PORT_ANNOTATION), options);
        Settings { rewrite, rewrite_warning, status_port, status_port_warning }
    }
}

fn rewrite(annotation: Option<&str>, options: &Options) -> (bool, Option<String>) {
    let Some(text) = annotation else { return (options.default_rewrite, None) };
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => (true, None),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => (false, None),
        _ => {
            let default = if options.default_rewrite { "rewriting" } else { "no rewriting" };
            let text = quoted(text);
            let warning = format!(
                "annotation {REWRITE_ANNOTATION}: {text} is neither true nor false; the default holds, {default}"
            );
            (options.default_rewrite, Some(warning))
        }
    }
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
