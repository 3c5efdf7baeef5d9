//! The example's manifest, and what the agent's `rewrite` makes of it.

use std::fs;
use std::path::Path;

use app_health_tests::kubelet::{Probe, probes};
use app_health_tests::{process, program};
use app_health_webhook::probers::VARIABLE;
use serde_json::Value;

use crate::ports::Ports;

const EXAMPLE: &str = "envoy-config/examples/demo.yaml";

pub struct Manifest {
    /// The agent's own table of the probes before and after.
    pub explained: String,
    /// The probes of the manifest as it was.
    pub before: Vec<Probe>,
    /// The same probes after the rewrite.
    pub after: Vec<Probe>,
    /// What the sidecar's variable holds.
    pub variable: String,
}

impl Manifest {
    /// Reads the example, its ports replaced where others serve, and has it rewritten.
    pub fn rewritten(ports: &Ports) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("demo.yaml");
        fs::write(&file, example(ports)).expect("the file is written");
        let status = ports.status.to_string();
        let rewrite = |more: &[&str]| rewrite(&file, &[&["--status-port", &status], more].concat());
        let json = |more: &[&str]| {
            let text = rewrite(&[&["-o", "json"], more].concat());
            serde_json::from_str::<Value>(&text).expect("JSON from the agent")
        };
        // With the rewrite switched off, the manifest comes out as it was.
        let before = json(&["--default-rewrite", "false"]);
        let after = json(&[]);
        let (before, after) = (&before["spec"]["template"], &after["spec"]["template"]);
        Self {
            explained: rewrite(&["--explain"]),
            before: probes(before),
            after: probes(after),
            variable: variable(after).expect("the variable in the rewritten manifest").to_owned(),
        }
    }
}

fn example(ports: &Ports) -> String {
    let text = fs::read_to_string(program::root().join(EXAMPLE)).expect(EXAMPLE);
    let usual = [(8080, ports.web), (9090, ports.api), (2940, ports.cache)];
    usual.iter().fold(text, |text, (from, to)| replaced(&text, *from, *to))
}

fn replaced(text: &str, from: u16, to: u16) -> String {
    let (from, to) = (from.to_string(), to.to_string());
    assert!(text.contains(&from), "{EXAMPLE} no longer has port {from}");
    text.replace(&from, &to)
}

fn rewrite(file: &Path, options: &[&str]) -> String {
    let mut command = process::command(program::agent());
    command.arg("rewrite").arg("-f").arg(file).args(options);
    process::run(&mut command, "").succeeded()
}

fn variable(pod: &Value) -> Option<&str> {
    let containers = pod["spec"]["containers"].as_array()?;
    let all = containers.iter().filter_map(|container| container["env"].as_array()).flatten();
    let mut ours = all.filter(|variable| variable["name"] == VARIABLE);
    ours.next()?["value"].as_str()
}
