//! The arguments.

use crate::guards::Mode;

const GUARDS: &str = "guards";

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What a probe costs.
    Probe,
    /// The memory that the filter adds to Envoy.
    Memory,
    /// The time that it adds to Envoy's start.
    Start,
    /// The agent's memory.
    Agent,
    /// Rewriting manifests and admitting pods.
    Rewrite,
    /// The webhook over TLS.
    Webhook,
}

impl Part {
    /// All of them, in the order in which they are measured.
    pub const ALL: [Self; 6] =
        [Self::Probe, Self::Memory, Self::Start, Self::Agent, Self::Rewrite, Self::Webhook];

    /// As in the arguments.
    pub fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Memory => "memory",
            Self::Start => "start",
            Self::Agent => "agent",
            Self::Rewrite => "rewrite",
            Self::Webhook => "webhook",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A table in Markdown.
    Table,
    /// One JSON object.
    Json,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Measure these parts.
    Measure(Vec<Part>, Output),
    /// See to it that sizes and instructions do not creep.
    Guard(Mode),
}

/// Reads the arguments.
///
/// # Errors
/// One line that names the argument.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Task, String> {
    let mut arguments = arguments.into_iter().peekable();
    if arguments.next_if(|argument| argument == GUARDS).is_some() {
        return mode(arguments).map(Task::Guard);
    }
    let (mut parts, mut output) = (Vec::new(), Output::Table);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), Part::named(&argument)) {
            ("-o", _) => output = format(arguments.next())?,
            (_, Some(part)) if parts.is_empty() => parts.push(part),
            (_, Some(_)) => return Err(format!("{argument}: one part, or none for all")),
            (_, None) => return Err(unknown(&argument)),
        }
    }
    if parts.is_empty() {
        parts.extend(Part::ALL);
    }
    Ok(Task::Measure(parts, output))
}

fn mode(mut arguments: impl Iterator<Item = String>) -> Result<Mode, String> {
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(Mode::Check),
        (Some("--accept"), None) => Ok(Mode::Accept),
        (Some("--accept"), Some(other)) => Err(format!("{other}: nothing more after --accept")),
        (Some(other), _) => Err(format!("{other}: {GUARDS} takes --accept alone")),
    }
}

fn format(argument: Option<String>) -> Result<Output, String> {
    match argument.as_deref() {
        Some("json") => Ok(Output::Json),
        other => Err(format!("-o: {:?} is no format, json is", other.unwrap_or_default())),
    }
}

fn unknown(argument: &str) -> String {
    let names = Part::ALL.map(Part::name).join(", ");
    format!("{argument}: no part ({names}), not {GUARDS}, and no option (-o json)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Task, String> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn no_part_means_all_and_guards_stand_alone() {
        let all = Part::ALL.to_vec();
        assert_eq!(read(""), Ok(Task::Measure(all.clone(), Output::Table)));
        assert_eq!(read("-o json"), Ok(Task::Measure(all, Output::Json)));
        assert_eq!(read("guards"), Ok(Task::Guard(Mode::Check)));
        assert_eq!(read("guards --accept"), Ok(Task::Guard(Mode::Accept)));
        assert_eq!(read("agent -o json"), Ok(Task::Measure(vec![Part::Agent], Output::Json)));
    }

    #[test]
    fn a_wrong_argument_is_named() {
        for (line, named) in [
            ("probes", "probes:"),
            ("-o yaml", "-o:"),
            ("-o", "-o:"),
            ("probe start", "start:"),
            ("probe guards", "guards:"),
            ("guards probe", "probe:"),
            ("guards --accept probe", "probe:"),
        ] {
            let error = read(line).expect_err(line);
            assert!(error.starts_with(named), "{line}: {error}");
        }
    }
}
