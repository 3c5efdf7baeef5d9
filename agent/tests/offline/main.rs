//! The commands `rewrite` and `restore`, run as a user runs them.
//!
//! | module | what it shows |
//! |---|---|
//! | `aliases` | YAML that unfolds to more than it has |
//! | `lists` | Lists, and what long ones cost |
//! | `manifests` | manifests in, manifests out, in every format |
//! | `refusals` | input and arguments that are wrong: the exit code, one line, nothing on stdout |
//! | `workloads` | other operators' workloads, lists of one kind, and what only looks like a pod |

mod aliases;
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
const DEPLOYMENT: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: hello
  namespace: default
spec:
  replicas: 0o3
  template:
    metadata:
      annotations: {version: "1.0", enabled: "yes"}
    spec:
      containers:
      - name: istio-proxy
        image: proxy
      - name: app
        image: 'hello:1'
        command: [sh, -c, "echo: é😀"]
        args:
        - |
          set -e
            sleep 1
        readinessProbe:
          httpGet: {path: /ready, port: 8080}
          timeoutSeconds: 0_5
        livenessProbe:
          tcpSocket:
            port: 3333
      volumes:
      - configMap:
          defaultMode: 0644
          huge: 18446744073709551616
"#;

/// The same, rewritten.
const REWRITTEN: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: hello
  namespace: default
spec:
  replicas: 0o3
  template:
    metadata:
      annotations: {version: "1.0", enabled: "yes"}
    spec:
      containers:
      - name: istio-proxy
        image: proxy
        env:
        - name: ISTIO_KUBE_APP_PROBERS
          value: '{"/app-health/app/livez":{"tcpSocket":{"port":3333}},"/app-health/app/readyz":{"httpGet":{"path":"/ready","port":8080},"timeoutSeconds":5}}'
      - name: app
        image: 'hello:1'
        command: [sh, -c, "echo: é😀"]
        args:
        - |
          set -e
            sleep 1
        readinessProbe:
          httpGet: {path: /app-health/app/readyz, port: 15020}
          timeoutSeconds: 0_5
        livenessProbe:
          httpGet:
            path: /app-health/app/livez
            port: 15020
      volumes:
      - configMap:
          defaultMode: 0644
          huge: 18446744073709551616
"#;

const CONFIG_MAP: &str = "# kept\napiVersion: v1\nkind: ConfigMap # too\nmetadata: {name:  cm}\n";
