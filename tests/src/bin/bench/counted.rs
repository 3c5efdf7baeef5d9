//! An Envoy whose instructions callgrind counts: nearly the same on a busy machine as on
//! an idle one.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use app_health_tests::envoy;
use app_health_tests::kubelet::Get;
use app_health_tests::process;
use tempfile::TempDir;

use crate::sidecar::Sidecar;

const WARM_UP: u32 = 30;
const REQUESTS: u32 = 200;
/// It is some fifty times slower than without.
const PATIENCE: Duration = Duration::from_secs(20);

/// An Envoy that is ready, under callgrind.
pub struct Counted {
    sidecar: Sidecar,
    dir: TempDir,
    dumps: Cell<u32>,
}

impl Counted {
    /// `start` gets the command to which Envoy's arguments are added.
    ///
    /// # Panics
    /// Where valgrind is missing.
    pub fn start(start: impl FnOnce(Command) -> Sidecar) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut command = process::command("valgrind");
        // V8 writes code as it runs.
        command.args(["--tool=callgrind", "--smc-check=all-non-file"]);
        command.arg(format!("--callgrind-out-file={}", dir.path().join("dump").display()));
        command.arg(envoy::find());
        Self { sidecar: start(command), dir, dumps: Cell::new(0) }
    }

    /// The Envoy.
    pub fn sidecar(&self) -> &Sidecar {
        &self.sidecar
    }

    /// Envoy's instructions until it was ready; before any other count.
    pub fn until_ready(&self) -> f64 {
        self.since_last() as f64
    }

    /// Envoy's instructions for a request of each URL, which is to be answered with this status.
    pub fn per_request<const N: usize>(&self, urls: [(&str, u16); N]) -> [f64; N] {
        for (url, _) in urls {
            for _ in 0..WARM_UP {
                // The first ones may take longer than Envoy waits.
                let _ = get(url);
            }
        }
        self.since_last();
        urls.map(|(url, status)| {
            for _ in 0..REQUESTS {
                assert_eq!(get(url), Ok(status), "{url}");
            }
            self.since_last() as f64 / f64::from(REQUESTS)
        })
    }

    /// Instructions since this was called last.
    fn since_last(&self) -> u64 {
        let id = self.sidecar.id().to_string();
        let mut command = process::command("callgrind_control");
        let output = command.args(["--dump", &id]).output().expect("callgrind_control runs");
        assert!(output.status.success(), "{command:?}: {output:?}");
        self.dumps.set(self.dumps.get() + 1);
        let file = self.dir.path().join(format!("dump.{}", self.dumps.get()));
        total(&file).unwrap_or_else(|| panic!("{}: no total", file.display()))
    }
}

fn get(url: &str) -> Result<u16, String> {
    let (addr, path) = url.trim_start_matches("http://").split_once('/').expect("a URL");
    let addr = addr.parse().expect("an address");
    let answer = Get::probe(addr, format!("/{path}")).timeout(PATIENCE).send();
    answer.map(|answer| answer.status).map_err(|error| error.to_string())
}

/// Out of a dump of callgrind's, which ends with it: `totals: 123456`
fn total(file: &Path) -> Option<u64> {
    let dump = fs::read_to_string(file).ok()?;
    dump.lines().rev().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
}
