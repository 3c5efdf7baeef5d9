//! The commands `rewrite` and `restore`, run as a user runs them.
//!
//! | module | what it shows |
//! |---|---|
//! | `aliases` | YAML that unfolds to more than it has |
//! | `filter` | what pods need to take the filter |
//! | `lists` | Lists, and what long ones cost |
//! | `manifests` | manifests in, manifests out, in every format |
//! | `refusals` | input and arguments that are wrong: the exit code, one line, nothing on stdout |
//! | `workloads` | other operators' workloads, lists of one kind, and what only looks like a pod |

mod aliases;
mod filter;
mod lists;
mod manifests;
mod refusals;
mod workloads;

use app_health_tests::process::{self, Run};

const BINARY: &str = env!("CARGO_BIN_EXE_app-health-agent");

/// Runs the binary with these arguments, separated by spaces, and this input.
fn agent(args: &str, input: impl AsRef<[u8]>) -> Run {
    process::run(process::command(BINARY).args(args.split_whitespace()), input)
}

/// The stdout of a run that succeeds without a warning.
fn output(args: &str, input: &str) -> String {
    let run = agent(args, input);
    assert_eq!((run.exit, run.stderr.as_str()), (0, ""), "{args}");
    run.stdout
}

/// A Deployment with a sidecar, whose YAML has something of everything.
const DEPLOYMENT: &str = include_str!("deployment.in.yaml");

/// The same, rewritten.
const REWRITTEN: &str = include_str!("deployment.out.yaml");

const CONFIG_MAP: &str = "# kept\napiVersion: v1\nkind: ConfigMap # too\nmetadata: {name:  cm}\n";
