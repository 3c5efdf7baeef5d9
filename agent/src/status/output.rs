//! What is printed. All texts in it are those of a pod and its app.

use std::fmt::Write;

use crate::logger::{in_line, is_control};
use crate::page::shape::{Page, Probe, State};
use crate::table::Table;

/// Characters of a cell, which leave room for the text of most results.
const WIDEST: usize = 120;

/// Characters of one of the configuration's errors.
const LONGEST: usize = 400;

const HEADER: [&str; 8] =
    ["CONTAINER", "PROBE", "STATE", "FOR", "PASSES", "FAILURES", "CHECK", "LAST RESULT"];

/// What is wrong in the configuration, a line a probe, and the verdict.
pub fn table(page: &Page) -> String {
    let mut text = String::new();
    for error in &page.errors {
        text += &format!("error: {}\n", in_line(error, LONGEST));
    }
    if !page.probes.is_empty() {
        let mut table = Table::new(HEADER, WIDEST);
        page.probes.iter().for_each(|probe| table.row(row(probe)));
        text += &format!("{table}\n");
    }
    text + &verdict(page) + "\n"
}

fn row(probe: &Probe) -> [String; 8] {
    [
        probe.container.clone(),
        probe.probe.clone(),
        state(probe.state).to_owned(),
        probe.state_seconds.map_or_else(none, duration),
        probe.passes.to_string(),
        probe.failures.to_string(),
        probe.check.clone(),
        result(probe),
    ]
}

fn none() -> String {
    "-".to_owned()
}

fn state(state: State) -> &'static str {
    match state {
        State::Passing => "passing",
        State::Failing => "failing",
        State::Unknown => "unknown",
    }
}

fn result(probe: &Probe) -> String {
    match &probe.reason {
        Some(reason) if probe.text.is_empty() => reason.clone(),
        Some(reason) => format!("{reason}: {}", probe.text),
        None => none(),
    }
}

/// In its two largest units.
fn duration(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{}s", seconds % 60),
        3600..86400 => format!("{hours}h{}m", minutes % 60),
        _ => format!("{}d{}h", hours / 24, hours % 24),
    }
}

fn verdict(page: &Page) -> String {
    let count = |state| page.probes.iter().filter(|probe| probe.state == state).count();
    let (all, failing, unknown) = (page.probes.len(), count(State::Failing), count(State::Unknown));
    let probes = match (all, failing, unknown) {
        (0, ..) => "no probe is recorded".to_owned(),
        (_, 0, 0) => format!("probes: {all}, all pass"),
        (_, 0, _) => format!("probes: {all}, none fails, not asked yet: {unknown}"),
        _ => format!("probes: {all}, failing: {failing}"),
    };
    let errors = page.errors.len();
    if errors == 0 { probes } else { format!("{probes}; errors in the configuration: {errors}") }
}

/// The page's JSON on one line, with nothing in it that a terminal would obey. JSON has no such
/// characters but white space between its values, and those above ASCII.
pub fn json(text: &[u8]) -> String {
    let mut line = String::with_capacity(text.len() + 1);
    for c in String::from_utf8_lossy(text).trim().chars() {
        match c {
            '\n' | '\r' | '\t' => line.push(' '),
            c if is_control(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
            c => line.push(c),
        }
    }
    line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_two_units() {
        for (seconds, text) in [
            (0.0, "0s"),
            (59.9, "59s"),
            (60.0, "1m0s"),
            (3599.0, "59m59s"),
            (3600.0, "1h0m"),
            (86_399.0, "23h59m"),
            (90_000.0, "1d1h"),
            (-1.0, "0s"),
            (1e300, "213503982334601d7h"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
