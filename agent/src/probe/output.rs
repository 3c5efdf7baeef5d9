//! What is printed. All texts in it are those of a pod and its app.

use std::time::Duration;

use serde_json::{Value, json};

use super::Finding;
use super::conclusion::Conclusion;
use crate::logger::in_line;
use crate::page::shape::Page;
use crate::status::output::json as one_line;
use crate::table::Table;

/// Of the JSON: grows when a member goes or changes its meaning.
const VERSION: u32 = 1;

/// Characters of a cell and of a line.
const WIDEST: usize = 200;

/// What is wrong in the configuration, then for each probe both results, and who is at fault.
pub fn table(page: &Page, findings: &[Finding]) -> String {
    let errors = page.errors.iter().map(|error| format!("error: {}\n", in_line(error, WIDEST)));
    let blocks = findings.iter().map(|finding| block(page, finding));
    let blocks: Vec<String> = errors.chain(blocks).collect();
    if blocks.is_empty() { "no probe is recorded\n".to_owned() } else { blocks.join("\n") }
}

fn block(page: &Page, finding: &Finding) -> String {
    let probe = finding.probe;
    let title =
        format!("{}: {}, timeout {} s", name(&probe.path), probe.check, probe.timeout_seconds);
    let header = ["ASKED", "VERDICT", "CONNECT", "FIRST BYTE", "WHOLE", "ANSWER"];
    let mut table = Table::new(header, WIDEST);
    table.row(row("status port", &finding.status_port));
    match &finding.app {
        Ok(app) => table.row(row(&format!("app {}", page.address), app)),
        Err(why) => {
            let none = || "-".to_owned();
            table.row(["app".into(), "not asked".into(), none(), none(), none(), why.clone()]);
        }
    }
    let mut text = format!("{}\n{table}", in_line(title, WIDEST));
    if !finding.hidden.is_empty() {
        let names = finding.hidden.join(", ");
        let line = format!("left out of both requests, for the page hides their values: {names}");
        text += &format!("{}\n", in_line(line, WIDEST));
    }
    text + &in_line(sentence(finding), WIDEST) + "\n"
}

/// As it is named on the command line.
pub fn name(path: &str) -> &str {
    path.strip_prefix(app_health_webhook::path::PROBE_PREFIX).unwrap_or(path)
}

fn row(asked: &str, conclusion: &Conclusion) -> [String; 6] {
    let Conclusion { verdict, times, .. } = conclusion;
    [
        asked.into(),
        verdict.to_string(),
        times.connect.map_or_else(|| "-".into(), time),
        times.first_byte.map_or_else(|| "-".into(), time),
        time(times.whole),
        answer(conclusion),
    ]
}

/// Status, word and text, as far as they are there.
fn answer(conclusion: &Conclusion) -> String {
    let status = conclusion.status.map(|status| status.to_string());
    let word = conclusion.reason.map(|reason| reason.as_str().to_owned());
    let head: Vec<String> = [status, word].into_iter().flatten().collect();
    let text = conclusion.text.lines().next().unwrap_or_default();
    if text.is_empty() { head.join(" ") } else { format!("{}: {text}", head.join(" ")) }
}

fn time(time: Duration) -> String {
    format!("{:.1} ms", milliseconds(time))
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 10.0
}

fn sentence(finding: &Finding) -> String {
    let (fault, why) = finding.fault;
    let hidden = !finding.hidden.is_empty() && finding.status_port.fails();
    let doubt = if hidden { ", unless it is for the headers that are left out" } else { "" };
    format!("at fault: {} ({why}{doubt})", fault.as_str())
}

/// One object, on one line.
pub fn json(page: &Page, findings: &[Finding]) -> String {
    let probes: Vec<Value> = findings.iter().map(object).collect();
    let Page { address, errors, .. } = page;
    let all = json!({"version": VERSION, "address": address, "errors": errors, "probes": probes});
    one_line(all.to_string().as_bytes())
}

fn object(finding: &Finding) -> Value {
    json!({
        "path": finding.probe.path,
        "check": finding.probe.check,
        "timeout_seconds": finding.probe.timeout_seconds,
        "status_port": side(&finding.status_port),
        "app": finding.app.as_ref().ok().map(side),
        "not_asked": finding.app.as_ref().err(),
        "left_out": finding.hidden,
        "fault": finding.fault.0.as_str(),
        "text": sentence(finding),
    })
}

fn side(conclusion: &Conclusion) -> Value {
    let times = conclusion.times;
    json!({
        "verdict": conclusion.verdict.as_str(),
        "status": conclusion.status,
        "reason": conclusion.reason.map(|reason| reason.as_str()),
        "text": conclusion.text,
        "connect_ms": times.connect.map(milliseconds),
        "first_byte_ms": times.first_byte.map(milliseconds),
        "whole_ms": milliseconds(times.whole),
    })
}
