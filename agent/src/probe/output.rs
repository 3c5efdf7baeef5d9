//! What is printed. All texts in it are those of a pod and its app.

use std::time::Duration;

use serde_json::{Value, json};

use super::Finding;
use super::args::Output;
use super::conclusion::Conclusion;
use crate::exit::Failure;
use crate::logger::in_line;
use crate::offline::print;
use crate::page::shape::{Page, Probe};
use crate::status::output::json as one_line;
use crate::table::Table;

/// Of the JSON: grows when a member goes or changes its meaning.
const VERSION: u32 = 1;

/// Characters of a cell and of a line.
const WIDEST: usize = 200;

/// Prints the table as it grows, or the JSON once it is whole.
pub struct Printer<'a> {
    page: &'a Page,
    output: Output,
    /// What has been printed is not empty.
    begun: bool,
    found: Vec<Value>,
}

impl<'a> Printer<'a> {
    /// What is wrong in the configuration.
    pub fn begin(output: Output, page: &'a Page) -> Result<Self, Failure> {
        let mut printer = Self { page, output, begun: false, found: Vec::new() };
        let errors = page.errors.iter().map(|error| format!("error: {}\n", in_line(error, WIDEST)));
        printer.block(errors.collect())?;
        Ok(printer)
    }

    /// Both results of a probe, and who is at fault.
    pub fn add(&mut self, finding: &Finding) -> Result<(), Failure> {
        match self.output {
            Output::Table => self.block(block(self.page, finding)),
            Output::Json => {
                self.found.push(object(finding));
                Ok(())
            }
        }
    }

    /// What has not been asked.
    pub fn end(mut self, left_out: &[(&Probe, &str)]) -> Result<(), Failure> {
        match self.output {
            Output::Json => print(&self.json(left_out), "").map(drop),
            Output::Table if !self.begun && left_out.is_empty() => {
                self.block("no probe is recorded\n".to_owned())
            }
            Output::Table => {
                let line = |(probe, why): &(&Probe, &str)| {
                    in_line(format!("{}: left out, for {why}", name(&probe.path)), WIDEST) + "\n"
                };
                self.block(left_out.iter().map(line).collect())
            }
        }
    }

    /// Some lines of the table, after an empty one.
    fn block(&mut self, text: String) -> Result<(), Failure> {
        if self.output == Output::Json || text.is_empty() {
            return Ok(());
        }
        let gap = if std::mem::replace(&mut self.begun, true) { "\n" } else { "" };
        print(&format!("{gap}{text}"), "").map(drop)
    }

    /// One object, on one line.
    fn json(&self, left_out: &[(&Probe, &str)]) -> String {
        let left_out = left_out.iter().map(|(it, why)| json!({"path": it.path, "text": why}));
        let all = json!({
            "version": VERSION,
            "address": self.page.address,
            "errors": self.page.errors,
            "probes": self.found,
            "left_out": left_out.collect::<Vec<_>>(),
        });
        one_line(all.to_string().as_bytes())
    }
}

fn block(page: &Page, finding: &Finding) -> String {
    let probe = finding.probe;
    let title =
        format!("{}: {}, timeout {} s", name(&probe.path), probe.check, probe.timeout_seconds);
    let header = ["ASKED", "VERDICT", "CONNECT", "FIRST BYTE", "WHOLE", "ANSWER"];
    let mut table = Table::new(header, WIDEST);
    table.row(row("status port", &finding.sides.status_port));
    match &finding.sides.app {
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
    let hidden = !finding.hidden.is_empty() && finding.sides.status_port.fails();
    let doubt = if hidden { ", unless it is for the headers that are left out" } else { "" };
    format!("at fault: {} ({why}{doubt})", fault.as_str())
}

fn object(finding: &Finding) -> Value {
    json!({
        "path": finding.probe.path,
        "check": finding.probe.check,
        "timeout_seconds": finding.probe.timeout_seconds,
        "status_port": side(&finding.sides.status_port),
        "app": finding.sides.app.as_ref().ok().map(side),
        "not_asked": finding.sides.app.as_ref().err(),
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
