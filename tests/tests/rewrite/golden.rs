//! Pairs of files: `NAME.in.yaml`, a manifest, and `NAME.out.yaml`, what becomes of it.
//!
//! A line `# options: --status-port 15021` at the head of the first sets options, the lines
//! `# warning: …` and `# error: …` at the head of the second are expected word for word. Other
//! comments are for the reader.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use app_health_webhook::manifest::pods;
use app_health_webhook::patch::apply;
use app_health_webhook::probers::VARIABLE;
use app_health_webhook::rewrite::{AgentOptions, Malformed, Options, Rewrite, restore, rewrite};
use serde_json::Value;

use super::yaml;

#[test]
fn manifests_are_rewritten() {
    let cases = check("rewrite", rewrite);
    assert!(cases.len() >= 45, "{} pairs", cases.len());
}

#[test]
fn manifests_are_restored() {
    assert!(check("restore", restore).len() >= 5);
}

/// Whoever rewrites twice, or takes the rewrite back, must end where this says.
#[test]
fn rewriting_twice_changes_nothing() {
    for case in cases("rewrite") {
        let once = case.outcome(rewrite).document;
        let again = Case { input: once.clone(), ..case };
        assert_eq!(again.outcome(rewrite).document, once, "{}", again.name);
    }
}

#[test]
fn restoring_takes_the_rewrite_back() {
    for case in cases("rewrite") {
        if case.input.to_string().contains(VARIABLE) {
            continue; // What it recorded before is restored as well.
        }
        let original = case.input.clone();
        let rewritten = case.outcome(rewrite).document;
        let back = Case { input: rewritten, ..case };
        assert_eq!(back.outcome(restore).document, original, "{}", back.name);
    }
}

type Transform = fn(&Value, &Options) -> Result<Rewrite, Malformed>;

struct Case {
    name: String,
    options: Options,
    input: Value,
    expected: PathBuf,
}

struct Outcome {
    document: Value,
    /// The lines at the head of the expected file.
    remarks: Vec<String>,
}

fn cases(folder: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(folder);
    let files = fs::read_dir(&folder).expect("the golden files are there");
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let ending = |end: &str| -> BTreeMap<String, PathBuf> {
        let name = |path: &PathBuf| path.to_str()?.strip_suffix(end).map(str::to_owned);
        files.iter().filter_map(|path| Some((name(path)?, path.clone()))).collect()
    };
    let (inputs, outputs) = (ending(".in.yaml"), ending(".out.yaml"));
    assert!(inputs.keys().eq(outputs.keys()), "each file has its partner");
    assert_eq!(files.len(), 2 * inputs.len(), "there is nothing but pairs");
    inputs.into_iter().map(|(name, input)| Case::read(&name, &input, &outputs[&name])).collect()
}

/// Every case of a folder, compared with what it expects. Their names.
fn check(folder: &str, transform: Transform) -> Vec<String> {
    let cases = cases(folder);
    let names: Vec<_> = cases.iter().map(|case| case.name.clone()).collect();
    let failures: Vec<_> = cases.iter().filter_map(|case| case.failure(transform)).collect();
    assert!(failures.is_empty(), "{} failed\n{}", failures.len(), failures.join("\n"));
    names
}

impl Case {
    fn read(name: &str, input: &Path, expected: &Path) -> Self {
        let text = fs::read_to_string(input).unwrap();
        Case {
            name: Path::new(name).file_name().unwrap().to_string_lossy().into_owned(),
            options: options(&text),
            input: yaml::load(&text),
            expected: expected.to_owned(),
        }
    }

    fn outcome(&self, transform: Transform) -> Outcome {
        let (mut document, mut remarks) = (self.input.clone(), Vec::new());
        let result = pods(&self.input).and_then(|pods| {
            for at in pods {
                let result = transform(at.pod, &self.options)?;
                remarks.extend(result.warnings.iter().map(|w| format!("# warning: {w}")));
                for operation in result.patch {
                    apply(&mut document, &[operation.under(&at.pointer)]).expect("the patch fits");
                }
            }
            Ok(())
        });
        remarks.extend(result.err().map(|malformed| format!("# error: {malformed}")));
        Outcome { document, remarks }
    }

    fn failure(&self, transform: Transform) -> Option<String> {
        let text = fs::read_to_string(&self.expected).unwrap();
        let expected = remarks(&text);
        let expected_document = yaml::load(&text);
        let outcome = self.outcome(transform);
        let mut failure = format!("== {}\n", self.name);
        if outcome.remarks != expected {
            failure += &format!("remarks: {:#?}\nexpected: {expected:#?}\n", outcome.remarks);
        } else if outcome.document != expected_document {
            let (is, expected) = (outcome.document, expected_document);
            failure += &format!("is:       {is}\nexpected: {expected}\n");
        } else {
            return None;
        }
        Some(failure)
    }
}

fn remarks(text: &str) -> Vec<String> {
    let head = text.lines().take_while(|line| line.starts_with('#'));
    let is_remark = |line: &&str| line.starts_with("# warning:") || line.starts_with("# error:");
    head.filter(is_remark).map(str::to_owned).collect()
}

fn options(text: &str) -> Options {
    let mut options = Options::default();
    let mut agent = AgentOptions::new("");
    let line = text.lines().find_map(|line| line.strip_prefix("# options: ")).unwrap_or_default();
    let mut words = line.split_whitespace();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        match name {
            "--default-rewrite" => options.default_rewrite = value.parse().unwrap(),
            "--status-port" => options.status_port = value.parse().unwrap(),
            "--agent-image" => value.clone_into(&mut agent.image),
            "--agent-resources" => agent.resources = value.parse().unwrap(),
            "--agent-user" => agent.user = value.parse().unwrap(),
            "--agent-pull-secret" => agent.pull_secret = Some(value.to_owned()),
            "--sidecars" => options.sidecars = value.split(',').map(str::to_owned).collect(),
            other => panic!("no golden file needs {other}"),
        }
    }
    options.agent = (!agent.image.is_empty()).then_some(agent);
    options
}
