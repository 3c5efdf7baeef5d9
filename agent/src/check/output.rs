//! What is printed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::finding::{Code, Finding, Severity};
use super::report::{Report, Unjudged};
use crate::table::Table;

/// Of the JSON: grows when a member goes or changes its meaning.
const VERSION: u32 = 1;

/// Characters of a cell.
const WIDEST: usize = 400;

/// A line a finding, and what to do about each code.
pub fn table(report: &Report) -> String {
    let counts = counts(report);
    if report.findings.is_empty() {
        return format!("{counts}\n");
    }
    let mut table = Table::new(["CODE", "SEVERITY", "OBJECT", "PROBE", "FINDING"], WIDEST);
    for finding in &report.findings {
        let (code, place) = (finding.code, &finding.place);
        let more = if finding.more > 0 { format!(" (+{})", finding.more) } else { String::new() };
        let names = [&place.namespace, &place.name].map(String::as_str);
        let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
        table.row([
            code.label().to_owned(),
            code.severity().label().to_owned(),
            format!("{} {}{more}", place.kind, names.join("/")),
            finding.probe.as_ref().map(ToString::to_string).unwrap_or_default(),
            finding.message.clone(),
        ]);
    }
    let codes: BTreeSet<Code> = report.findings.iter().map(|finding| finding.code).collect();
    let remedies = codes.iter().map(|code| format!("{}: {}\n", code.label(), code.remedy()));
    format!("{table}\n{}\n{counts}\n", remedies.collect::<String>())
}

fn counts(report: &Report) -> String {
    let [errors, warnings] = [Severity::Error, Severity::Warning].map(|it| report.count(it));
    let pods = report.pods;
    format!("pods and templates: {pods}, errors: {errors}, warnings: {warnings}")
}

/// One object, with a line a finding.
pub fn json(report: &Report, unjudged: &[Unjudged]) -> String {
    let mut text = format!("{{\"version\":{VERSION},\"findings\":[");
    for (index, it) in report.findings.iter().enumerate() {
        text.extend([if index > 0 { ",\n" } else { "\n" }, &finding(it).to_string()]);
    }
    let unjudged = unjudged.iter().map(|it| json!({"kind": it.kind, "what": it.what}));
    let unjudged: Value = unjudged.collect();
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    let (pods, passed_over) = (report.pods, report.passed_over);
    text + &format!(
        "\n],\"pods\":{pods},\"errors\":{errors},\"warnings\":{warnings},\
         \"passed_over\":{passed_over},\"not_looked_at\":{unjudged}}}\n"
    )
}

fn finding(finding: &Finding) -> Value {
    let (code, place) = (finding.code, &finding.place);
    json!({
        "code": code.label(),
        "severity": code.severity().label(),
        "kind": place.kind,
        "namespace": place.namespace,
        "name": place.name,
        "more": finding.more,
        "container": finding.probe.as_ref().map(|probe| &probe.container),
        "probe": finding.probe.as_ref().map(|probe| probe.kind.field()),
        "reason": finding.cause.map(|cause| cause.label()),
        "message": finding.message,
        "remedy": code.remedy(),
    })
}

/// Lines for stderr: what was passed over, and what was not looked at for want of which kind.
pub fn notes(report: &Report, unjudged: &[Unjudged]) -> String {
    let mut notes = String::new();
    if report.passed_over > 0 {
        notes += &format!("passed over, for being no Kubernetes objects: {}\n", report.passed_over);
    }
    if !unjudged.is_empty() {
        let all = unjudged.iter().map(|it| format!("{} (no {})", it.what, it.kind));
        notes += &format!("not looked at: {}\n", all.collect::<Vec<_>>().join(", "));
    }
    notes
}
