//! The tables of reasons in the texts are those of the library.

use std::fs;

use app_health_tests::program::root;
use app_health_webhook::handler::HandlerKind;
use app_health_webhook::reason::{Reason, StatusCodes};
use app_health_webhook::rewrite::Cause;

/// The rows of the table under a heading: their cells.
fn rows(file: &str, heading: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join(file)).expect("a text");
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let lines = section.lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    let cells =
        |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells).collect()
}

/// The words of a cell that are in backticks.
fn words(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn why_a_probe_fails() {
    let rows = rows("envoy-config/README.md", "Why a probe fails");
    let status = |reason: Reason, codes| match reason.status(HandlerKind::HttpGet, codes) {
        Some(status) => status.to_string(),
        None if reason == Reason::Abandoned => "–".to_owned(),
        None => "the app's".to_owned(),
    };
    let expected = Reason::ALL.map(|reason| {
        let word = format!("`{}`", reason.as_str());
        [word, status(reason, StatusCodes::Plain), status(reason, StatusCodes::Detailed)]
    });
    let told = rows.iter().map(|row| [&row[0], &row[2], &row[3]].map(String::clone));
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn why_a_probe_stays() {
    let rows = rows("envoy-config/webhook/README.md", "Why a probe stays");
    let mut told: Vec<_> = rows.iter().flat_map(|row| words(&row[0])).collect();
    let mut causes: Vec<_> = Cause::ALL.iter().map(|cause| cause.label()).collect();
    told.sort_unstable();
    causes.sort_unstable();
    assert_eq!(told, causes);
}
