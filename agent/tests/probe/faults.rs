//! Whose the fault is.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use app_health_tests::app::{Closed, Http, Script, V4};
use app_health_tests::poll::PATIENCE;
use app_health_tests::process;
use serde_json::{Value, json};

use crate::{READYZ, because, entry, found, http, page, pod, probe, readiness, with};

fn app(status: u16) -> Http {
    Http::start(V4, move |_| Script::status(status))
}

#[test]
fn each_has_its_exit_code() {
    for (through, of_app, fault, exit) in [
        (Script::status(200), 200, "nobody", 0),
        (Script::status(302), 200, "nobody", 0),
        (Script::status(503), 503, "app", 1),
        (because(500, "refused", "x"), 503, "app", 1),
        (because(500, "refused", "x"), 200, "redirection", 1),
        (because(500, "proxy", "x"), 200, "redirection", 1),
        (Script::status(200), 503, "redirection", 1),
        (Script::close(), 200, "redirection", 1),
        (Script::close(), 503, "redirection", 1),
        (Script::raw("hello\r\n\r\n"), 200, "redirection", 1),
        (because(500, "agent", "x"), 200, "agent", 1),
        (because(500, "agent", "x"), 503, "agent", 1),
        (because(500, "config", "x"), 200, "configuration", 1),
        (because(599, "unheard-of", "x"), 200, "redirection", 1),
        // Of an app that fails, too, it does not matter whose answer that is.
        (crate::body(503, "", "no healthy upstream"), 503, "app", 1),
    ] {
        let app = app(of_app);
        let server = readiness(http(app.addr()), through.clone());
        let (finding, code) = found(&server);
        assert_eq!((&finding["fault"], code), (&json!(fault), exit), "{through:?}: {finding}");
        assert_eq!(finding["app"]["status"], of_app, "{finding}");
    }
}

#[test]
fn an_entry_that_is_not_valid_is_not_asked() {
    let server = readiness(Value::Null, because(500, "config", "httpGet.port: 0 is not a port"));
    let (finding, code) = found(&server);
    assert_eq!((&finding["fault"], code), (&json!("configuration"), 1), "{finding}");
    assert_eq!(finding["not_asked"], "what is recorded is not valid");
    assert_eq!(finding["status_port"]["text"], "httpGet.port: 0 is not a port");
}

#[test]
fn a_variable_that_is_not_valid() {
    let page = with(page(&[]), "errors", json!(["ISTIO_KUBE_APP_PROBERS: not JSON"]));
    let server = pod(page, |_| Script::close());
    let all = probe(&server, "--all");
    assert_eq!((all.exit, &*all.stdout), (1, "error: ISTIO_KUBE_APP_PROBERS: not JSON\n"));
    let one = probe(&server, "web/readyz");
    assert_eq!(one.exit, 2);
    assert!(
        one.stderr.ends_with(": no probe is recorded; ISTIO_KUBE_APP_PROBERS: not JSON\n"),
        "{}",
        one.stderr
    );
}

#[test]
fn outside_of_the_pod_the_app_is_not_asked() {
    for (through, fault, exit) in [
        (Script::status(200), "nobody", 0),
        (Script::status(503), "app", 1),
        (because(500, "refused", "x"), "app", 1),
        (because(500, "proxy", "x"), "redirection", 1),
        (because(500, "agent", "x"), "agent", 1),
        (Script::close(), "redirection", 1),
        // An app's own answer comes without a body: these are Envoy's and the filter's.
        (crate::body(503, "", "no healthy upstream"), "redirection", 1),
        (crate::body(431, "", "Request Header Fields Too Large"), "redirection", 1),
        (
            crate::body(400, "", "no probe is recorded for /app-health/web/readyz\n"),
            "redirection",
            1,
        ),
        (crate::body(405, "Allow: GET, HEAD\r\n", "a probe is a GET or HEAD\n"), "redirection", 1),
    ] {
        let app = app(200);
        let elsewhere = page(&[entry(READYZ, http(app.addr()))]);
        let elsewhere = with(elsewhere, "address", json!("198.51.100.7"));
        let server = pod(elsewhere, move |_| through.clone());
        let (finding, code) = found(&server);
        assert_eq!((&finding["fault"], code), (&json!(fault), exit), "{finding}");
        assert_eq!(finding["app"], Value::Null);
        let why = finding["not_asked"].as_str().unwrap();
        assert!(why.starts_with("198.51.100.7 is no address of this machine"), "{why}");
        assert_eq!(app.seen(), [], "{finding}");
    }
}

#[test]
fn an_app_that_is_late_fails_by_the_probes_timeout() {
    let app = Http::start(V4, |_| Script::default().hold());
    let late = with(entry(READYZ, http(app.addr())), "timeout_seconds", json!(0.3));
    // The filter's reason comes when the time is over.
    let wait = Duration::from_millis(400);
    let answer = Script::default().wait(wait).and(because(504, "timeout", "not done in time"));
    let server = pod(page(std::slice::from_ref(&late)), move |_| answer.clone());
    let begun = Instant::now();
    let (finding, _) = found(&server);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert_eq!(finding["fault"], "app", "{finding}");
    assert_eq!(finding["status_port"]["reason"], "timeout");
    assert_eq!(finding["status_port"]["text"], "not done in time");
    assert_eq!(finding["app"]["text"], "not done within 0.3 s");
    // A success that comes then is none.
    let server = pod(page(&[late]), move |_| Script::default().wait(wait).and(Script::status(200)));
    assert_eq!(found(&server).0["status_port"]["verdict"], "failure");
}

#[test]
fn both_sides_stand_side_by_side_with_their_times() {
    let closed = Closed::start(V4);
    let text = format!("http {}: connection refused", closed.addr());
    let server = readiness(http(closed.addr()), because(521, "refused", &text));
    let run = probe(&server, "web/readyz");
    let lines: Vec<&str> = run.stdout.lines().collect();
    let [title, header, status_port, app, sentence] = lines[..] else { panic!("{}", run.stdout) };
    assert_eq!(title, "web/readyz: the check, timeout 10 s");
    let words = |line: &str| {
        line.split("  ")
            .map(str::trim)
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(words(header), ["ASKED", "VERDICT", "CONNECT", "FIRST BYTE", "WHOLE", "ANSWER"]);
    let [asked, verdict, connect, first_byte, whole, answer] = &words(status_port)[..] else {
        panic!("{status_port}")
    };
    assert_eq!(
        [asked, verdict, answer],
        ["status port", "failure", &format!("521 refused: {text}")]
    );
    for time in [connect, first_byte, whole] {
        assert!(time.strip_suffix(" ms").unwrap().parse::<f64>().unwrap() < 10_000.0, "{time}");
    }
    let [asked, verdict, connect, first_byte, _, answer] = &words(app)[..] else { panic!("{app}") };
    assert_eq!([asked, verdict, connect, first_byte], ["app 127.0.0.1", "failure", "-", "-"]);
    assert_eq!(answer, "refused: Connection refused");
    assert_eq!(sentence, "at fault: app (it fails whoever asks)");
}

#[test]
fn all_are_asked_one_after_the_other_but_for_hooks() {
    let (well, ill) = (app(200), app(503));
    let server = pod(
        page(&[
            entry("/app-health/ill/livez", http(ill.addr())),
            entry(READYZ, http(well.addr())),
            entry("/app-lifecycle/web/prestopz", http(well.addr())),
        ]),
        |request| Script::status(if request.target.contains("/ill/") { 503 } else { 200 }),
    );
    let run = probe(&server, "--all -o json");
    let value: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(value["version"], 1);
    let faults = value["probes"].as_array().unwrap().iter();
    let faults: Vec<_> = faults.map(|it| (it["path"].clone(), it["fault"].clone())).collect();
    assert_eq!(
        faults,
        [(json!("/app-health/ill/livez"), json!("app")), (json!(READYZ), json!("nobody")),]
    );
    assert_eq!(run.exit, 1);
    assert_eq!((well.seen().len(), ill.seen().len()), (1, 1));
    assert_eq!(
        probe(&pod(page(&[]), |_| Script::close()), "--all").stdout,
        "no probe is recorded\n"
    );
}

#[test]
fn texts_of_pod_and_app_are_no_commands_to_a_terminal() {
    let hostile = "\u{1b}[31m\u{9b}31m\r\u{7}\u{202e}\u{2069}";
    let app = Http::start(V4, move |_| crate::body(503, "", hostile));
    let probe_ = with(entry(READYZ, http(app.addr())), "check", json!(hostile));
    let answer = because(500, "refused", hostile);
    let page = with(page(&[probe_]), "errors", json!([hostile]));
    let server = pod(page, move |_| answer.clone());
    for output in ["table", "json"] {
        let run = probe(&server, &format!("web/readyz -o {output}"));
        let bad = run
            .stdout
            .chars()
            .find(|c| c.is_control() && *c != '\n' || "\u{202e}\u{2069}".contains(*c));
        assert_eq!(bad, None, "{:?}", run.stdout);
        assert!(run.stdout.contains("[31m"), "{:?}", run.stdout);
        assert_eq!(run.exit, 1);
    }
}

#[test]
fn an_app_at_loopback_is_asked_only_where_the_page_is_said_to_be_local() {
    let app = app(200);
    let server = readiness(http(app.addr()), Script::status(200));
    for (pod, says) in [(false, "this machine is no pod"), (true, "127.0.0.1 is loopback")] {
        let mut command = crate::forwarded(server.addr(), "web/readyz");
        command.env_remove("KUBERNETES_SERVICE_HOST");
        if pod {
            command.env("KUBERNETES_SERVICE_HOST", "10.96.0.1");
        }
        let run = process::run(&mut command, "");
        assert!(run.stdout.contains(says), "{} {}", run.stdout, run.stderr);
        assert!(run.stdout.contains("at fault: nobody (the status port passes)"), "{}", run.stdout);
        assert_eq!((run.exit, app.seen()), (0, Vec::new()), "{}", run.stdout);
    }
    assert_eq!(probe(&server, "web/readyz").exit, 0);
    assert_eq!(app.seen().len(), 1);
}

/// An answer of this status for as many as are asked before, and then others.
fn first(statuses: &'static [u16]) -> impl Fn() -> Script {
    let asked = AtomicUsize::new(0);
    move || {
        let asked = asked.fetch_add(1, Ordering::Relaxed);
        Script::status(*statuses.get(asked).unwrap_or(&599))
    }
}

#[test]
fn two_sides_that_differ_are_asked_once_more() {
    for (through, of_app, fault, says) in [
        (&[200][..], &[200][..], "nobody", "both pass"),
        (&[503], &[503], "app", "it fails whoever asks"),
        (&[503, 503], &[200, 200], "redirection", "the app itself passes"),
        (&[200, 200], &[503, 503], "redirection", "the status port passes"),
        (&[503, 200], &[200, 200], "unknown", "it varies: asked once more, both pass"),
        (&[200, 503], &[503, 503], "unknown", "it varies: asked once more, both fail"),
        (&[503, 200], &[200, 503], "unknown", "it varies: asked once more, it is the other way"),
    ] {
        let (answer, answers) = (first(through), first(of_app));
        let app = Http::start(V4, move |_| answers());
        let server = pod(page(&[entry(READYZ, http(app.addr()))]), move |_| answer());
        let (finding, exit) = found(&server);
        assert_eq!(finding["fault"], fault, "{finding}");
        assert!(finding["text"].as_str().unwrap().contains(says), "{finding}");
        assert_eq!(exit, i32::from(fault != "nobody"));
        let asked = (server.seen_at(READYZ).len(), app.seen().len());
        assert_eq!(asked, (through.len(), of_app.len()), "{finding}");
        assert_eq!(finding["status_port"]["status"], through[0], "the first answers are shown");
    }
}

#[test]
fn startup_probes_and_hidden_headers_are_asked_only_by_name() {
    const STARTUPZ: &str = "/app-health/web/startupz";
    const LIVEZ: &str = "/app-health/web/livez";
    let app = app(200);
    let hidden = json!({"httpGet": {"port": app.addr().port(), "httpHeaders": [{"name": "X-A"}]}});
    let probes =
        [entry(LIVEZ, hidden), entry(READYZ, http(app.addr())), entry(STARTUPZ, http(app.addr()))];
    let server = pod(page(&probes), |_| Script::status(200));
    let run = probe(&server, "--all");
    assert_eq!(run.exit, 0, "{} {}", run.stdout, run.stderr);
    let ends = "at fault: nobody (both pass)\n\n\
        web/livez: left out, for the page hides headers of it, and without them it may fail\n\
        web/startupz: left out, for the kubelet does not repeat it, and a failure would stay\n";
    assert!(run.stdout.ends_with(ends), "{}", run.stdout);
    assert_eq!(server.seen_at(READYZ).len(), 1);
    assert_eq!((server.seen_at(STARTUPZ).len(), server.seen_at(LIVEZ).len()), (0, 0));
    let run = probe(&server, "--all -o json");
    let value: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(value["probes"].as_array().unwrap().len(), 1);
    let left_out: Vec<_> =
        value["left_out"].as_array().unwrap().iter().map(|it| it["path"].clone()).collect();
    assert_eq!(left_out, [LIVEZ, STARTUPZ]);
    for (name, path) in [("web/startupz", STARTUPZ), ("web/livez", LIVEZ)] {
        assert_eq!(probe(&server, name).exit, 0);
        assert_eq!(server.seen_at(path).len(), 1, "named");
    }
}

#[test]
fn each_is_printed_as_soon_as_it_is_found() {
    let app = app(200);
    let hangs = "/app-health/web/livez";
    // For longer than the first is waited for.
    let last = with(entry(hangs, http(app.addr())), "timeout_seconds", json!(60));
    let probes = [entry("/app-health/a/readyz", http(app.addr())), last];
    let server = pod(page(&probes), move |request| match &request.target[..] {
        path if path == hangs => Script::default().hold(),
        _ => Script::status(200),
    });
    let begun = Instant::now();
    let mut command = crate::command(server.addr(), "--all");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let found = lines.map_while(Result::ok).find(|line| line.starts_with("at fault: "));
    assert_eq!(found.as_deref(), Some("at fault: nobody (both pass)"));
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    child.kill().unwrap();
    child.wait().unwrap();
}
