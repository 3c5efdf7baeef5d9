use app_health_tests::app::{Closed, Http, Script, V4};
use app_health_tests::entries::{Entries, http, probe, tcp};
use app_health_tests::envoy::{Envoy, Setup};
use app_health_tests::poll::{PATIENCE, until_ok};
use app_health_tests::{process, program};

/// The exit code, and the words of each line but how long a state has held.
fn status(envoy: &Envoy) -> (i32, Vec<String>) {
    let mut command = process::command(program::agent());
    command.args(["status", "--url", &format!("http://{}/app-health/", envoy.addr())]);
    let run = process::run(&mut command, "");
    assert_eq!(run.stderr, "");
    let words = |line: &str| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let held = words.get(3).filter(|held| held.starts_with(|c: char| c.is_ascii_digit()));
        if held.is_some_and(|held| held.ends_with('s')) {
            words.remove(3);
        }
        words.join(" ")
    };
    (run.exit, run.stdout.lines().map(words).filter(|line| !line.is_empty()).collect())
}

#[test]
fn the_agent_shows_it() {
    let app = Http::start(V4, |_| Script::status(204));
    let closed = Closed::start(V4);
    let entries = Entries::default()
        .probe("closed", tcp(closed.addr()))
        .probe("open", http(app.addr(), "/ready"))
        .probe("silent", tcp(app.addr()));
    let envoy = Setup::default().probers(entries.patient()).concurrency(2).start();
    let (app, closed) = (app.addr().port(), closed.addr());
    envoy.get(probe("open")).send().expect("an answer");
    let header = "CONTAINER PROBE STATE FOR PASSES FAILURES CHECK LAST RESULT";
    let open = format!("open readiness passing 1 0 http GET :{app}/ready ok: 204 from the app");
    let silent = format!("silent readiness unknown - 0 0 tcp :{app} -");
    let unasked = format!("closed readiness unknown - 0 0 tcp :{} -", closed.port());
    let (exit, lines) = status(&envoy);
    let verdict = "probes: 3, none fails, not asked yet: 2";
    assert_eq!(lines, [header, &unasked, &open, &silent, verdict]);
    assert_eq!(exit, 0);
    for _ in 0..3 {
        envoy.get(probe("closed")).send().expect("an answer");
    }
    let fails = format!(
        "closed readiness failing 0 3 tcp :{} refused: tcp {closed}: connection refused",
        closed.port()
    );
    // What was written before is kept for a moment.
    let expected = [header, &fails, &open, &silent, "probes: 3, failing: 1"].map(str::to_owned);
    until_ok(PATIENCE, || match status(&envoy) {
        (1, lines) if lines == expected => Ok(()),
        other => Err(format!("{other:#?}")),
    });
}

#[test]
fn what_is_not_valid_stands_above_it() {
    let envoy = Setup::default().probers("{").start();
    let (exit, lines) = status(&envoy);
    let [error, verdict] = &lines[..] else { panic!("{lines:#?}") };
    assert!(error.starts_with("error: ISTIO_KUBE_APP_PROBERS: "), "{error}");
    assert_eq!(verdict, "no probe is recorded; errors in the configuration: 1");
    assert_eq!(exit, 1);
}

#[test]
fn the_demo_ends_with_it() {
    let run = process::run(&mut process::command(env!("CARGO_BIN_EXE_demo")), "");
    assert_eq!(run.exit, 0, "{}{}", run.stdout, run.stderr);
    let (_, table) = run.stdout.split_once("status says of it:").expect("the table's title");
    assert!(table.trim_start().starts_with("CONTAINER"), "{table}");
    assert!(table.contains(": connection refused\n"), "{table}");
    assert!(table.trim_end().ends_with("probes: 9, failing: 6"), "{table}");
}
