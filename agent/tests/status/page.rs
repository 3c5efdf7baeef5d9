//! Pages that are there.

use app_health_tests::app::{Http, V4};
use app_health_tests::process;
use serde_json::{Value, json};

use crate::{answer, command, failing, page, passing, status, unknown, with};

#[test]
fn the_page_is_asked_for_as_json() {
    let server = Http::start(V4, |_| answer(200, &page(&[]).to_string()));
    process::run(&mut command(server.addr(), ""), "").succeeded();
    let [request] = &server.seen()[..] else { panic!("{:?}", server.seen()) };
    assert_eq!((&*request.method, &*request.target), ("GET", "/app-health/"));
    assert_eq!(request.header("accept").as_deref(), Some("application/json"));
    assert_eq!(request.header("host"), Some(server.addr().to_string()));
}

#[test]
fn a_line_a_probe_and_the_verdict() {
    let run = status(answer(200, &page(&[failing(), passing(), unknown()]).to_string()), "");
    assert_eq!(
        run.stdout,
        "\
CONTAINER  PROBE      STATE    FOR   PASSES  FAILURES  CHECK                 LAST RESULT
cache      liveness   failing  2h3m  12      3         tcp :2940             refused: tcp 10.0.0.7:2940: connection refused
web        readiness  passing  12s   12      3         http GET :8080/ready  ok
web        readiness  unknown  -     0       0         http GET :8080/ready  -

probes: 3, failing: 1
"
    );
    assert_eq!((run.exit, &*run.stderr), (1, ""));
}

#[test]
fn the_exit_code_and_the_verdict_say_whether_all_is_well() {
    let broken = json!({"errors": ["ISTIO_KUBE_APP_PROBERS: not JSON: \u{1b}[31m", "b"]});
    for (page, exit, verdict) in [
        (page(&[]), 0, "no probe is recorded"),
        (page(&[passing(), passing()]), 0, "probes: 2, all pass"),
        (page(&[passing(), unknown()]), 0, "probes: 2, none fails, not asked yet: 1"),
        (page(&[passing(), failing()]), 1, "probes: 2, failing: 1"),
        (
            with(page(&[]), broken.clone()),
            1,
            "no probe is recorded; errors in the configuration: 2",
        ),
        (
            with(page(&[passing()]), broken),
            1,
            "probes: 1, all pass; errors in the configuration: 2",
        ),
    ] {
        let run = status(answer(200, &page.to_string()), "");
        assert_eq!((run.exit, run.stdout.lines().last()), (exit, Some(verdict)), "{}", run.stderr);
        if !page["errors"].as_array().unwrap().is_empty() {
            let errors = "error: ISTIO_KUBE_APP_PROBERS: not JSON: \\u{1b}[31m\nerror: b\n";
            assert!(run.stdout.starts_with(errors), "{}", run.stdout);
        }
        let run = status(answer(200, &page.to_string()), "-o json");
        assert_eq!(run.exit, exit);
        assert_eq!(serde_json::from_str::<Value>(&run.stdout).unwrap(), page);
    }
}

#[test]
fn members_that_are_not_known_are_passed_over() {
    let page = with(page(&[with(passing(), json!({"b": {}}))]), json!({"a": [1]}));
    assert_eq!(status(answer(200, &page.to_string()), "").exit, 0);
}

#[test]
fn hostile_texts_do_not_reach_the_terminal() {
    let hostile =
        "<script>\"';\n\r\u{1b}[31m\u{7f}\u{9b}2J é \u{202e}\u{2066}\u{200f}\u{feff}\u{e0041}"
            .to_owned()
            + &"long".repeat(5000);
    let texts = ["container", "probe", "check", "reason", "text"];
    let texts = texts.map(|name| (name.to_owned(), Value::from(&*hostile)));
    let probe = with(passing(), Value::Object(texts.into_iter().collect()));
    let page = with(page(&[probe, passing()]), json!({"errors": [hostile]}));
    for body in [page.to_string(), serde_json::to_string_pretty(&page).unwrap()] {
        let run = status(answer(200, &body), "");
        assert_eq!(run.stdout.lines().count(), 6, "{}", run.stdout);
        for line in run.stdout.lines() {
            assert!(!line.contains(is_obeyed), "{line:?}");
            assert!(line.chars().count() < 700, "{line:?}");
        }
        let run = status(answer(200, &body), "-o json");
        let line = run.stdout.strip_suffix('\n').expect("a line");
        assert!(!line.contains(is_obeyed), "{line:?}");
        assert_eq!(serde_json::from_str::<Value>(line).unwrap(), page);
    }
}

#[test]
fn two_hundred_probes_with_long_texts_are_read() {
    let probe = with(failing(), json!({"text": "long".repeat(2500)}));
    let page = page(&vec![probe; 200]);
    let run = status(answer(200, &page.to_string()), "");
    assert_eq!(run.stdout.lines().last(), Some("probes: 200, failing: 200"), "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 203);
}

/// What a terminal would obey, of what the texts of these tests have.
fn is_obeyed(c: char) -> bool {
    c.is_control() || "\u{202e}\u{2066}\u{200f}\u{feff}\u{e0041}".contains(c)
}
