use std::time::Duration;

use app_health_tests::process::Process;
use app_health_tests::program;

const TITLE: &str = "What the kubelet concludes";
/// Both tables, in the documents' order: the situation, and the verdict over IPv4 and over IPv6.
const VERDICTS: [(&str, &str); 10] = [
    ("no sidecar", "success"),
    ("sidecar, strict mTLS", "failure"),
    ("sidecar, plain text allowed", "success"),
    ("sidecar, strict mTLS, rewritten", "success"),
    ("the same, nginx stopped", "failure"),
    ("no sidecar", "failure"),
    ("sidecar, strict mTLS", "success"),
    ("sidecar, plain text allowed", "success"),
    ("sidecar, strict mTLS, rewritten", "failure"),
    ("the same, port 2940 opened", "success"),
];

/// A line of a table: what stands left of its verdicts, and these.
fn verdicts(line: &str) -> Option<(&str, [&str; 2])> {
    let at = line.find("success").into_iter().chain(line.find("failure")).min()?;
    let mut words = line[at..].split_whitespace();
    Some((line[..at].trim(), [words.next()?, words.next()?]))
}

#[test]
fn the_demo_tells_both_scenarios() {
    let demo = Process::start("mesh-demo", &mut program::script("mesh-demo"));
    let has_begun = || demo.log().contains(TITLE).then_some(()).ok_or("still building".to_owned());
    demo.wait_within(Duration::from_secs(600), has_begun);
    let status = demo.end_within(Duration::from_secs(300));
    let log = demo.log();
    assert!(status.success(), "{status}\n{log}");
    let told: Vec<_> = log.lines().filter_map(verdicts).collect();
    assert_eq!(told, VERDICTS.map(|(what, verdict)| (what, [verdict; 2])), "{log}");
}
