//! The tables of docs/configuration.md are those of the code. (Its flags and findings the agent's own tests
//! write, its metrics those of `monitoring`; its statuses and the page's members `envoy::routes` and
//! `contract::page` compare.)

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use app_health_tests::program::root;
use app_health_webhook::handler::HandlerKind;
use app_health_webhook::injection;
use app_health_webhook::reason::{Reason, StatusCodes};
use app_health_webhook::rewrite::{Cause, Options};

fn text() -> String {
    fs::read_to_string(root().join("docs/configuration.md")).expect("the text")
}

/// The rows of the table under a heading: their cells.
pub fn rows(heading: &str) -> Vec<Vec<String>> {
    let text = text();
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let lines = section.lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    let cells =
        |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells).collect()
}

/// The words of a cell that are in backticks.
pub fn words(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn why_a_probe_fails() {
    let rows = rows("Why a probe fails");
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
    let rows = rows("Why a probe stays");
    let mut told: Vec<_> = rows.iter().flat_map(|row| words(&row[0])).collect();
    let mut causes: Vec<_> = Cause::ALL.iter().map(|cause| cause.label()).collect();
    told.sort_unstable();
    causes.sort_unstable();
    assert_eq!(told, causes);
}

/// Each is a constant, or the default of a flag, of which the page has what the code says.
#[test]
fn ports() {
    let text = text();
    let default = |command: &str, flag: &str| {
        let (_, section) =
            text.split_once(&format!("### `app-health-agent {command}`")).expect("the command");
        let (_, row) = section.split_once(&format!("| `{flag} ")).expect("the flag");
        let default = row.split('|').nth(2).and_then(|cell| words(cell).next()).expect("a default");
        default.rsplit(':').next().expect("a port").to_owned()
    };
    let expected = [
        Options::default().status_port.to_string(),
        injection::STATUS_PORT.to_string(),
        default("serve", "--listen"),
        default("webhook", "--listen"),
        default("webhook", "--metrics-listen"),
        default("webhook", "--wasm-listen"),
    ];
    let rows = rows("Ports");
    assert_eq!(rows.iter().map(|row| &row[0]).collect::<Vec<_>>(), expected.each_ref());
    let sources = sources().concat();
    for path in rows.iter().flat_map(|row| words(&row[2])) {
        assert!(sources.contains(path), "{path}");
    }
}

/// All of a folder's files with this ending, one after the other.
fn source(folder: &Path, ending: &str) -> String {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("it").path());
    let read = |path: &Path| match path.is_dir() {
        true => source(path, ending),
        false if path.extension().is_some_and(|it| it == ending) => {
            fs::read_to_string(path).expect("a text")
        }
        false => String::new(),
    };
    entries.map(|path| read(&path)).collect()
}

/// What the programs are made of, and what is applied to a cluster.
fn sources() -> [String; 2] {
    let programs = ["webhook/src", "filter/src", "agent/src"];
    let programs = programs.map(|folder| source(&root().join(folder), "rs")).concat();
    [programs, source(&root().join("envoy-config"), "yaml")]
}

/// A label or annotation, of ours or Istio's.
fn is_metadata(word: &str) -> bool {
    let is_plain = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || ['-', '.'].contains(&c))
    };
    word.split_once('/').is_some_and(|(domain, name)| {
        let is_ours = ["app-health", "webhook.app-health"].contains(&domain);
        (is_ours || domain.ends_with(".istio.io")) && is_plain(domain) && is_plain(name)
    })
}

/// A variable of the environment that ours or Istio's programs read.
fn is_variable(word: &str) -> bool {
    let is_known = ["APP_HEALTH_", "ISTIO_", "KUBERNETES_"].iter().any(|it| word.starts_with(it));
    let is_plain = word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    is_known && is_plain && !word.ends_with('_') || ["POD_IP", "INSTANCE_IP"].contains(&word)
}

/// What is wrong with the names of the text: those that the programs have and it lacks, and those that
/// nothing else has.
fn strangers<'a>(text: &'a str, [programs, manifests]: [&'a str; 2]) -> [BTreeSet<&'a str>; 2] {
    let is_name = |word: &&str| is_metadata(word) || is_variable(word);
    let told: BTreeSet<_> = words(text).filter(is_name).collect();
    let read: BTreeSet<_> = programs.split('"').filter(is_name).collect();
    let ends = |c: char| !c.is_ascii_alphanumeric() && !['-', '_', '/', '.'].contains(&c);
    let set: BTreeSet<_> = manifests.split(ends).filter(is_name).collect();
    let unknown = told.iter().filter(|name| !read.contains(*name) && !set.contains(*name));
    [read.difference(&told).copied().collect(), unknown.copied().collect()]
}

#[test]
fn labels_annotations_and_variables() {
    let (text, [programs, manifests]) = (text(), sources());
    let none = [BTreeSet::new(), BTreeSet::new()];
    assert_eq!(strangers(&text, [&programs, &manifests]), none);
    let (code, yaml) = (r#"a("app-health/a", "POD_IP", "/app-health/", "x")"#, "b.istio.io/c: 1");
    let found = strangers("`POD_IP` `APP_HEALTH_X` `b.istio.io/c`", [code, yaml]);
    assert_eq!(found, [BTreeSet::from(["app-health/a"]), BTreeSet::from(["APP_HEALTH_X"])]);
}

#[test]
fn plugin_settings() {
    let code = fs::read_to_string(root().join("filter/src/settings.rs")).expect("the settings");
    let (code, _) = code.split_once("#[cfg(test)]").expect("its tests");
    let arms = code.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" =>"));
    let rows = rows("Plugin settings");
    let told = rows.iter().map(|row| words(&row[0]).next().expect("a key"));
    assert_eq!(told.collect::<Vec<_>>(), arms.map(|(key, _)| key).collect::<Vec<_>>());
    for row in rows.iter().filter(|row| row[0].contains("_cluster")) {
        let [key, default] = [0, 1].map(|cell| words(&row[cell]).next().expect("a word"));
        assert!(code.contains(&format!("{key}: \"{default}\".to_owned()")), "{key}: {default}");
    }
}
