use crate::{CONFIG_MAP, DEPLOYMENT, agent};

/// The run fails with this code and one line, which begins with `begins`, and prints nothing else.
fn refused(args: &str, input: impl AsRef<[u8]>, exit: i32, begins: &str) -> String {
    let run = agent(args, input);
    assert_eq!(run.exit, exit, "{args}: {}", run.stderr);
    assert_eq!(run.stdout, "", "{args}");
    assert_eq!(run.stderr.lines().count(), 1, "{args}: {}", run.stderr);
    let line = run.stderr.strip_prefix("app-health-agent: ").unwrap_or_default().to_owned();
    assert!(line.starts_with(begins), "{args}: {}", run.stderr);
    line
}

#[test]
fn wrong_arguments() {
    for (args, names) in [
        ("", "subcommand"),
        ("rewrite", "--file"),
        ("rewrite -f - --status-port 70000", "--status-port"),
        ("rewrite -f - --default-rewrite maybe", "--default-rewrite"),
        ("rewrite -f - -o xml", "--output"),
        ("restore -f - --explain", "--explain"),
        ("rewrite -f - --sidecar Envoy", "--sidecar"),
        ("restore -f - --sidecar a.b", "--sidecar"),
    ] {
        let line = refused(args, "", 64, "");
        assert!(line.contains(names), "{line}");
    }
}

#[test]
fn files_that_cannot_be_read() {
    refused("rewrite -f /no/such/file", "", 66, "/no/such/file: No such file");
    refused("rewrite -f /", "", 66, "/: Is a directory");
}

#[test]
fn input_that_is_no_manifest() {
    for (input, begins) in [
        ("", "stdin: empty"),
        (" \n\n", "stdin: empty"),
        ("# only a comment\n---\n", "stdin: empty"),
        ("a: b: c\n", "stdin: document 1: line 1: not YAML"),
        ("{\"a\": ", "stdin: document 1: line 1: not JSON"),
        ("just text\n", "stdin: document 1: not a Kubernetes object"),
        ("- a\n", "stdin: document 1: not a Kubernetes object"),
        ("[1]\n", "stdin: document 1: not a Kubernetes object"),
        ("kind: Pod\n", "stdin: document 1: not a Kubernetes object: it has no `apiVersion`"),
        ("apiVersion: v1\n", "stdin: document 1: not a Kubernetes object: it has no `kind`"),
        ("apiVersion: 1\nkind: Pod\n", "stdin: document 1: not a Kubernetes object"),
        ("apiVersion: v1\nkind: ''\n", "stdin: document 1: not a Kubernetes object"),
    ] {
        refused("rewrite -f -", input, 65, begins);
        refused("restore -f -", input, 65, begins);
        refused("rewrite -f - -o patch", input, 65, begins);
        refused("rewrite -f - --explain", input, 65, begins);
    }
    refused("rewrite -f -", b"a: \xff\n", 65, "stdin: not UTF-8 (byte 3)");
}

#[test]
fn a_later_document_that_is_wrong_leaves_stdout_empty() {
    let input = format!("# c\n---\n{CONFIG_MAP}---\n{DEPLOYMENT}---\na: [\n");
    // What is missing is missing behind the last line.
    let line = input.lines().count() + 1;
    refused("rewrite -f -", &input, 65, &format!("stdin: document 3: line {line}: not YAML"));
}

#[test]
fn a_field_of_a_wrong_type_is_named() {
    let at = "stdin: document 2: /spec/template/spec/containers/1/";
    for (from, to, field) in [
        ("port: 3333", "port: 70000", "livenessProbe/tcpSocket/port"),
        ("port: 3333", "port: [1]", "livenessProbe/tcpSocket/port"),
        ("tcpSocket:\n", "httpGet: {port: 1}\n          tcpSocket:\n", "livenessProbe"),
        ("tcpSocket:\n            port: 3333", "periodSeconds: 1", "livenessProbe"),
        ("timeoutSeconds: 0_5", "timeoutSeconds: five", "readinessProbe/timeoutSeconds"),
        ("- name: app", "- name: 1", "name"),
    ] {
        assert!(DEPLOYMENT.contains(from), "{from}");
        let input = format!("{CONFIG_MAP}---\n{}", DEPLOYMENT.replace(from, to));
        refused("rewrite -f -", input, 65, &format!("{at}{field}: "));
    }
}

#[test]
fn a_list_names_the_item() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, spec: {containers: 5}}\n";
    refused("rewrite -f -", list, 65, "stdin: document 1: /items/0/spec/containers: ");
    let list = r#"{"items":[{},{"apiVersion":"v1","kind":"Pod","spec":{"containers":5}}],"apiVersion":"v1","kind":"List"}"#;
    for args in ["rewrite -f -", "rewrite -f - -o patch", "rewrite -f - -o yaml", "restore -f -"] {
        refused(args, list, 65, "stdin: document 1: /items/1/spec/containers: ");
    }
    let text = "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\n{},\n{\"a\":\"\\ud800\"}]}";
    refused("rewrite -f -", text, 65, "stdin: document 1: line 3: not JSON: ");
}

#[test]
fn input_beyond_the_limit() {
    let input = vec![b' '; (256 << 20) + 1];
    refused("rewrite -f -", input, 65, "stdin: larger than 256 MiB");
}
