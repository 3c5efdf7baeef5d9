//! Guards against creep: figures that are not noisy, so that a test can hold on to them.

use std::fs;
use std::io;
use std::path::PathBuf;

use app_health_tests::program::root;
use app_health_tests::wasm;

use crate::figure::grouped;
use crate::{instructions, marks};

/// How far the instructions may rise over the number that is kept, in per cent.
const SLACK: u64 = 5;
const KEPT: &str = "tests/instructions-per-pod";
const ACCEPT: &str = "scripts/bench guards --accept";

/// What is to be done with the number of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is compared with the one that is kept.
    Check,
    /// It is kept from now on.
    Accept,
}

/// Prints what was found; whether all is well.
pub fn run(mode: Mode) -> bool {
    let findings = [size(), work(mode)];
    for finding in &findings {
        match finding {
            Ok(text) => println!("{text}"),
            Err(text) => eprintln!("scripts/bench: {text}"),
        }
    }
    findings.iter().all(Result::is_ok)
}

fn size() -> Result<String, String> {
    let size = fs::metadata(wasm::filter()).expect("the filter is built").len();
    judge_size(size)
}

fn judge_size(size: u64) -> Result<String, String> {
    let text = format!("the filter's .wasm has {} bytes", grouped(size));
    if marks::WASM.is_reached_by(size as f64) {
        return Ok(text);
    }
    Err(format!("{text}: more than it may have (marks::WASM in tests/src/bin/bench/marks.rs)"))
}

fn work(mode: Mode) -> Result<String, String> {
    let counted = instructions::per_pod();
    if mode == Mode::Accept {
        fs::write(kept_in(), format!("{counted}\n")).expect("the number is written");
        return Ok(format!("{} instructions per rewritten pod, kept in {KEPT}", grouped(counted)));
    }
    judge_work(counted, kept().map_err(|error| format!("{KEPT}: {error}; make one: {ACCEPT}"))?)
}

fn kept_in() -> PathBuf {
    root().join(KEPT)
}

fn kept() -> io::Result<u64> {
    fs::read_to_string(kept_in())?.trim().parse().map_err(io::Error::other)
}

fn judge_work(counted: u64, kept: u64) -> Result<String, String> {
    let change = 100.0 * (counted as f64 / kept as f64 - 1.0);
    let text = format!(
        "{} instructions per rewritten pod, {change:+.1} % over the {} in {KEPT}",
        grouped(counted),
        grouped(kept)
    );
    if 100 * counted > (100 + SLACK) * kept {
        return Err(format!("{text}. Where that has to be, accept it: {ACCEPT}"));
    }
    if 100 * counted < (100 - SLACK) * kept {
        return Ok(format!("{text}. It may be lowered: {ACCEPT}"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_instructions_are_refused_and_fewer_pointed_out() {
        for (counted, passes, says_how) in [
            (1_000, true, false),
            (1_050, true, false),
            (1_051, false, true),
            (950, true, false),
            (949, true, true),
        ] {
            let judged = judge_work(counted, 1_000);
            assert_eq!(judged.is_ok(), passes, "{counted}");
            let text = judged.unwrap_or_else(|text| text);
            assert_eq!(text.contains(ACCEPT), says_how, "{text}");
        }
    }

    #[test]
    fn a_filter_over_its_mark_is_refused() {
        for (size, passes) in [(170_000, true), (170_001, false)] {
            assert_eq!(judge_size(size).is_ok(), passes, "{size}");
        }
    }
}
