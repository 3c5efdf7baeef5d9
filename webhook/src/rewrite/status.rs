//! The mark of a pod that was rewritten, for whoever describes it: the annotation `app-health/status`.
//!
//! A JSON object: `version`, of this form; `rewritten`, how many probes the variable holds; `stayed`, the
//! probes that stayed with a warning or are excluded, each with its cause's label; `more`, how many of
//! these had no room.
//! No program's version is in it: an upgrade would change every pod template that is rewritten anew.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::result::Warning;

/// The annotation's name.
pub const STATUS_ANNOTATION: &str = "app-health/status";

/// Of the annotation's form.
const VERSION: u32 = 1;

/// Bytes of the names and labels that are told: names may be long, and probes many.
const LONGEST: usize = 4096;

#[derive(Serialize)]
struct Status<'s> {
    version: u32,
    rewritten: usize,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    stayed: &'s BTreeMap<String, &'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<usize>,
}

/// The annotation's value.
pub fn text(rewritten: usize, warnings: &[Warning]) -> String {
    let Stayed { probes, more } = Stayed::of(warnings);
    let more = (more > 0).then_some(more);
    let status = Status { version: VERSION, rewritten, stayed: &probes, more };
    // Neither numbers nor a map of text can fail.
    serde_json::to_string(&status).unwrap_or_default()
}

/// The probes that stayed with a warning or are excluded, and why: as many as have room.
#[derive(Default)]
pub(crate) struct Stayed {
    probes: BTreeMap<String, &'static str>,
    more: usize,
}

impl Stayed {
    pub fn of(warnings: &[Warning]) -> Self {
        let (mut stayed, mut room) = (Stayed::default(), LONGEST);
        for warning in warnings {
            let Some(probe) = &warning.probe else { continue };
            let (name, label) = (probe.to_string(), warning.cause.label());
            match room.checked_sub(name.len() + label.len()) {
                Some(left) => {
                    room = left;
                    stayed.probes.insert(name, label);
                }
                None => stayed.more += 1,
            }
        }
        stayed
    }

    pub fn is_empty(&self) -> bool {
        self.probes.is_empty() && self.more == 0
    }
}

/// `app/livenessProbe=host, app/preStop=tcp_hook, 2 more`
impl fmt::Display for Stayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let probes = self.probes.iter().map(|(name, label)| format!("{name}={label}"));
        let more = (self.more > 0).then(|| format!("{} more", self.more));
        let all: Vec<_> = probes.chain(more).collect();
        f.write_str(&all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::ProbeKind;
    use crate::rewrite::{Cause, ProbeName};

    fn of_probe(container: &str) -> Warning {
        let probe = ProbeName { container: container.to_owned(), kind: ProbeKind::Liveness };
        Warning { probe: Some(probe), cause: Cause::Host, reason: "of no matter".to_owned() }
    }

    #[test]
    fn what_stayed_is_told_with_its_reason() {
        let pod = Warning::of_pod(Cause::AgentName, "no probe's");
        let warnings = [pod, of_probe("b\n\""), of_probe("a")];
        let stayed = r#""stayed":{"a/livenessProbe":"host","b\\n\\\"/livenessProbe":"host"}"#;
        assert_eq!(text(3, &warnings), format!(r#"{{"version":1,"rewritten":3,{stayed}}}"#));
        let line = r#"a/livenessProbe=host, b\n\"/livenessProbe=host"#;
        assert_eq!(Stayed::of(&warnings).to_string(), line);
        assert_eq!(text(3, &warnings[..1]), r#"{"version":1,"rewritten":3}"#);
        assert!(Stayed::of(&warnings[..1]).is_empty());
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let names = (0..1000).map(|index| format!("{index:063}"));
        let mut warnings: Vec<_> = names.map(|name| of_probe(&name)).collect();
        warnings.insert(1, of_probe(&"x".repeat(100_000)));
        let status: serde_json::Value = serde_json::from_str(&text(0, &warnings)).unwrap();
        let told = status["stayed"].as_object().unwrap().len();
        assert_eq!((told, &status["more"]), (50, &951.into()));
        assert!(Stayed::of(&warnings).to_string().ends_with("=host, 951 more"));
        assert!(!Stayed::of(&warnings[1..2]).is_empty());
    }
}
