//! What a List costs: memory and processor time grow with it, and no faster.

use std::fs;
use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use app_health_tests::{process, usage};

use crate::{BINARY, agent, output};

/// What a run has used when it begins to print, which is after all of its work.
struct Used {
    /// MiB, at most at once.
    memory: f64,
    /// Of the processor.
    time: Duration,
}

/// A List of as many pods, of 1.2 KB each.
fn list(pods: usize) -> String {
    let pod = |number| {
        let spare = "x".repeat(800);
        format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"p{number}","annotations":{{"spare":"{spare}"}}}},"spec":{{"containers":[{{"name":"istio-proxy"}},{{"name":"app","ports":[{{"name":"http","containerPort":80}}],"readinessProbe":{{"httpGet":{{"port":"http"}}}},"livenessProbe":{{"tcpSocket":{{"port":3333}}}}}}]}}}}"#
        )
    };
    let pods: Vec<String> = (0..pods).map(pod).collect();
    // As kubectl orders it.
    format!("{{\"apiVersion\":\"v1\",\"items\":[\n{}\n],\"kind\":\"List\"}}", pods.join(",\n"))
}

fn used(args: &str, input: &str) -> Used {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list");
    fs::write(&file, input).unwrap();
    let mut command = process::command(BINARY);
    command.args(args.split_whitespace()).arg("-f").arg(&file).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    // It prints more than a pipe holds, so it has not ended before the rest has been read.
    stdout.read_exact(&mut [0]).unwrap();
    let used = Used {
        memory: usage::peak_memory(child.id()).expect("it runs"),
        time: usage::processor_time(child.id()),
    };
    assert!(stdout.read_to_end(&mut Vec::new()).unwrap() > 64 << 10);
    assert!(child.wait().unwrap().success());
    used
}

/// `-o patch` needs the text and the patches, manifests the text and what becomes of it.
#[test]
fn memory_is_a_few_times_the_text() {
    for (kind, args) in [
        ("List", "rewrite -o patch"),
        ("List", "rewrite"),
        ("List", "rewrite -o yaml"),
        ("PodList", "rewrite"),
    ] {
        let list = |pods| list(pods).replace(r#""kind":"List""#, &format!(r#""kind":"{kind}""#));
        let (small, large) = (list(100), list(10_000));
        let more = used(args, &large).memory - used(args, &small).memory;
        let text = (large.len() - small.len()) as f64 / 1024.0 / 1024.0;
        assert!(more < 4.0 * text, "{kind}, {args}: {more} MiB of memory for {text} of text");
    }
}

/// Eight times the pods; sixty-four times the time is what something quadratic would take.
#[test]
fn time_grows_with_the_list() {
    let (small, large) = (list(500), list(4000));
    for args in ["rewrite -o patch", "rewrite"] {
        let (few, many) = (used(args, &small).time, used(args, &large).time);
        assert!(many < 24 * few, "{args}: {many:?}, and {few:?} for an eighth of the pods");
    }
}

/// What one item is does not depend on the others; only the pointers do.
#[test]
fn a_list_is_rewritten_as_its_items_are() {
    let pod = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"istio-proxy"},{"name":"app","livenessProbe":{"grpc":{"port":1}}}]}}"#;
    let inner = format!(r#"{{"apiVersion":"v1","kind":"List","items":[{pod}]}}"#);
    let list = |pod: &str| {
        format!(r#"{{"items":[{pod},5,{inner},{pod}],"kind":"List","apiVersion":"v1"}}"#)
    };
    let rewritten = output("rewrite -f -", pod);
    assert_ne!(rewritten, pod);
    // A List within a List is passed through, but not in silence.
    let output = |args: &str, input: &str| {
        let (run, lists) = (agent(args, input), input.matches(r#""kind":"List""#).count());
        let warning = "List: /items/0/spec/containers/1/livenessProbe: not where pods have probes; \
                       it stays as it was\n";
        assert_eq!((run.exit, run.stderr), (0, warning.repeat(lists / 2)), "{args}");
        run.stdout
    };
    assert_eq!(output("rewrite -f -", &list(pod)), list(&rewritten));
    assert_eq!(output("restore -f -", &list(&rewritten)), list(pod));
    let spaced = list(&rewritten).replace("},", "} ,\n\t");
    assert_eq!(output("rewrite -f -", &spaced), spaced, "nothing changes");
    for empty in ["[]", "[ \n ]", "null"] {
        let list = format!(r#"{{"kind":"List","apiVersion":"v1","items":{empty}}}"#);
        assert_eq!(output("rewrite -f -", &list), list);
    }
    // As the second document, in another format.
    let yaml = output("rewrite -f - -o yaml", &list(pod));
    assert!(
        yaml.starts_with("items:\n- apiVersion: v1\n") && yaml.contains("port: 15020"),
        "{yaml}"
    );
    let twice = output("rewrite -f - -o yaml", &list(pod).repeat(2));
    assert_eq!(twice, format!("{yaml}---\n{yaml}"));
    // Of several `items` the last one counts.
    let twice = format!(r#"{{"items":[{pod}],"kind":"List","apiVersion":"v1","items":[1,{pod}]}}"#);
    let patch = output("rewrite -f - -o patch", &twice);
    assert!(patch.contains("/items/1/") && !patch.contains("/items/0/"), "{patch}");
}

#[test]
fn a_warning_comes_once_whatever_else_changes() {
    let host = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"host"},"spec":{"containers":[{"name":"istio-proxy"},{"name":"app","livenessProbe":{"httpGet":{"host":"h","port":1}}}]}}"#;
    let plain = host.replace(r#""host":"h","#, "");
    for items in [format!("[{host}]"), format!("[{host},{plain}]")] {
        let list = format!(r#"{{"kind":"List","apiVersion":"v1","items":{items}}}"#);
        for args in ["rewrite -f -", "rewrite -f - -o yaml", "rewrite -f - -o patch"] {
            let run = agent(args, &list);
            assert_eq!((run.exit, run.stderr.lines().count()), (0, 1), "{args}: {}", run.stderr);
        }
    }
}
