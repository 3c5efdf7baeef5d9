//! A real Prometheus.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use app_health_tests::app::V4;
use app_health_tests::kubelet::Get;
use app_health_tests::net;
use app_health_tests::process::{self, Process};
use app_health_tests::program::packaged;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{items, text};

/// Ends when it is dropped.
pub struct Prometheus {
    addr: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

/// A series of an answer, and its value.
#[derive(Debug)]
pub struct Sample {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Prometheus {
    /// Scrapes by these jobs and evaluates these rules, several times a second.
    pub fn start(jobs: &[Value], rules: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = json!({
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "scrape_configs": jobs,
            "rule_files": ["rules.json"],
        });
        for (name, content) in [("prometheus.json", &config), ("rules.json", rules)] {
            fs::write(folder.path().join(name), content.to_string()).expect("the file is written");
        }
        let addr = SocketAddr::new(V4, net::free_port());
        let mut command = process::command(packaged("prometheus", "prometheus"));
        command.current_dir(folder.path());
        command.args(["--config.file=prometheus.json", "--storage.tsdb.path=data"]);
        command.arg(format!("--web.listen-address={addr}"));
        let process = Process::start("prometheus", &mut command);
        let prometheus = Self { addr, _process: process, _folder: folder };
        prometheus._process.wait_until(|| prometheus.get("/-/ready").map(drop));
        prometheus
    }

    /// What a query returns now.
    ///
    /// # Errors
    /// It is not valid.
    pub fn query(&self, query: &str) -> Result<Vec<Sample>, String> {
        let answer = self.api(&format!("query?query={}", escaped(query)))?;
        assert_eq!(answer["resultType"], "vector", "{query}");
        Ok(items(&answer["result"]).iter().map(Sample::of).collect())
    }

    /// The answer to a request of its API, as in `rules`.
    ///
    /// # Errors
    /// It refuses.
    pub fn api(&self, path: &str) -> Result<Value, String> {
        let answer = self.get(&format!("/api/v1/{path}"))?;
        let mut answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
        Ok(answer["data"].take())
    }

    fn get(&self, path: &str) -> Result<String, String> {
        let get = Get::probe(self.addr, path).timeout(Duration::from_secs(10)).whole_body();
        let answer = get.send().map_err(|error| error.to_string())?;
        let text = answer.text();
        if answer.status == 200 { Ok(text) } else { Err(format!("{}: {text}", answer.status)) }
    }
}

impl Sample {
    fn of(result: &Value) -> Self {
        let labels = result["metric"].as_object().expect("labels");
        Self {
            labels: labels
                .iter()
                .map(|(name, value)| (name.clone(), text(value).to_owned()))
                .collect(),
            value: text(&result["value"][1]).parse().expect("a number"),
        }
    }
}

fn escaped(query: &str) -> String {
    query.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
