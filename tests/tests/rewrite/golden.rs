//! Pairs of files: `NAME.in.yaml`, a manifest, and `NAME.out.yaml`, what becomes of it.
//!
//! A line `# options: --status-port 15021` at the head of the first sets options, the lines
//! `# warning: …` and `# error: …` at the head of the second are expected word for word. Other
//! comments are for the reader.
//!
//! `UPDATE_GOLDEN=1` writes the second of each pair that is not as it should be, or has none yet, as
//! `app-health-agent` makes it of the first.

use std::path::{Path, PathBuf};
use std::{env, fs};

use app_health_tests::process::run;
use app_health_tests::{process, program};
use app_health_webhook::manifest::pods;
use app_health_webhook::patch::apply;
use app_health_webhook::probers::VARIABLE;
use app_health_webhook::rewrite::{
    AgentOptions, Malformed, Options, Rewrite, STATUS_ANNOTATION, restore, rewrite,
};
use serde_json::Value;
use similar::TextDiff;

use super::{without_empties, yaml};
use crate::kubernetes;

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
        let text = case.input.to_string();
        if [VARIABLE, STATUS_ANNOTATION].iter().any(|it| text.contains(it)) {
            continue; // What was recorded and marked before is taken back as well.
        }
        let original = case.input.clone();
        let rewritten = case.outcome(rewrite).document;
        let back = Case { input: rewritten, ..case };
        let restored = without_empties(back.outcome(restore).document);
        assert_eq!(restored, without_empties(original), "{}", back.name);
    }
}

/// Where a manifest is one of the Kubernetes API, so is what becomes of it.
#[test]
fn what_the_api_knows_it_knows_afterwards() {
    let mut known = 0;
    for case in cases("rewrite").iter().filter(|case| kubernetes::check(&case.input).is_ok()) {
        let rewritten = case.outcome(rewrite).document;
        assert_eq!(kubernetes::check(&rewritten), Ok(()), "{}", case.name);
        known += usize::from(rewritten != case.input);
    }
    assert!(known >= 25, "{known} pairs");
}

type Transform = fn(&Value, &Options) -> Result<Rewrite, Malformed>;

struct Case {
    name: String,
    options: Options,
    text: String,
    input: Value,
    expected: PathBuf,
}

#[derive(PartialEq, Eq)]
struct Transformed {
    /// The lines at the head of the expected file.
    remarks: Vec<String>,
    document: Value,
}

fn cases(folder: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(folder);
    let files = fs::read_dir(&folder).expect("the golden files are there");
    let mut names: Vec<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let is_alone = |name: &String| match name.strip_suffix(".out.yaml") {
        Some(stem) => !names.contains(&format!("{stem}.in.yaml")),
        None => !name.ends_with(".in.yaml"),
    };
    assert_eq!(names.iter().find(|name| is_alone(name)), None, "belongs to no NAME.in.yaml");
    let inputs = names.iter().filter_map(|name| name.strip_suffix(".in.yaml"));
    inputs.map(|name| Case::read(&folder, name)).collect()
}

/// Every case of a folder, compared with what it expects. Their names.
fn check(folder: &str, transform: Transform) -> Vec<String> {
    let cases = cases(folder);
    let names: Vec<_> = cases.iter().map(|case| case.name.clone()).collect();
    let mut failures = Vec::new();
    for case in cases {
        match case.failure(transform) {
            Some(_) if env::var_os("UPDATE_GOLDEN").is_some() => case.accept(folder, transform),
            failure => failures.extend(failure),
        }
    }
    let how = "right as they are? UPDATE_GOLDEN=1 writes them down";
    assert!(failures.is_empty(), "{}\n{} failed; {how}", failures.join("\n"), failures.len());
    names
}

impl Case {
    fn read(folder: &Path, name: &str) -> Self {
        let text = fs::read_to_string(folder.join(format!("{name}.in.yaml"))).unwrap();
        Case {
            name: name.to_owned(),
            options: options(&text),
            input: yaml::load(&text),
            expected: folder.join(format!("{name}.out.yaml")),
            text,
        }
    }

    fn outcome(&self, transform: Transform) -> Transformed {
        let (mut document, mut remarks) = (self.input.clone(), Vec::new());
        let result = pods(&self.input).and_then(|pods| {
            for at in pods {
                let result = transform(at.pod, &self.options)?;
                let told = result.warnings.iter().filter(|warning| warning.is_told());
                remarks.extend(told.map(|w| format!("# warning: {w}")));
                for operation in result.patch {
                    apply(&mut document, &[operation.under(&at.pointer)]).expect("the patch fits");
                }
            }
            Ok(())
        });
        remarks.extend(result.err().map(|malformed| format!("# error: {malformed}")));
        Transformed { document, remarks }
    }

    /// What is not as it should be, as a diff.
    fn failure(&self, transform: Transform) -> Option<String> {
        let Ok(text) = fs::read_to_string(&self.expected) else {
            return Some(format!("{}: not there", self.expected.display()));
        };
        let expected = Transformed { remarks: remarks(&text), document: yaml::load(&text) };
        let outcome = self.outcome(transform);
        (outcome != expected).then(|| {
            let (expected, is) = (expected.shown(), outcome.shown());
            let diff = TextDiff::from_lines(&expected, &is);
            diff.unified_diff().header(&format!("{}.out.yaml", self.name), "is").to_string()
        })
    }

    /// Writes down what the agent makes of it, which is the same.
    fn accept(&self, command: &str, transform: Transform) {
        let outcome = self.outcome(transform);
        let options = self.text.lines().find_map(|line| line.strip_prefix("# options: "));
        let mut agent = process::command(program::agent());
        agent.args([command, "-f", "-"]).args(options.unwrap_or_default().split_whitespace());
        let run = run(&mut agent, &self.text);
        // Refused, it stays as it is.
        let text = if run.exit == 65 { &self.text } else { &run.stdout };
        let document = text.lines().skip_while(|line| line.starts_with('#'));
        let lines: Vec<_> = outcome.remarks.iter().map(String::as_str).chain(document).collect();
        let text = lines.join("\n") + "\n";
        assert_eq!(yaml::load(&text), outcome.document, "{agent:?}: {}", run.stderr);
        fs::write(&self.expected, text).unwrap();
    }
}

impl Transformed {
    /// For a diff.
    fn shown(&self) -> String {
        let document = serde_json::to_string_pretty(&self.document).unwrap();
        [&self.remarks[..], &[document]].concat().join("\n") + "\n"
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
            "--sidecar" => options.sidecars = value.split(',').map(str::to_owned).collect(),
            other => panic!("no golden file needs {other}"),
        }
    }
    options.agent = (!agent.image.is_empty()).then_some(agent);
    options
}
