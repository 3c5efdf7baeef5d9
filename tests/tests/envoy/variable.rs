use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use app_health_tests::app::{Http, Script, V4};
use app_health_tests::envoy::{Envoy, Setup};

use super::expected::Expected::{self, App, Reason};
use super::expected::check;

/// Other routes are served, whatever the variable.
fn envoy(variable: impl Into<OsString>) -> Envoy {
    let envoy = Setup::default().probers(variable).start();
    check([("ready", envoy.get("/healthz/ready").status(), 200)].map(|(case, status, want)| {
        assert_eq!(status, Ok(want), "{case}");
        (case, envoy.get("/nothing"), App(404))
    }));
    envoy
}

#[test]
fn nothing_is_recorded() {
    const NONE: Expected = Reason(400, "no probe is recorded for /app-health/a/readyz");
    let unset = Setup::default().start();
    check([("unset", unset.get("/app-health/a/readyz"), NONE)]);
    check([("empty", envoy("").get("/app-health/a/readyz"), NONE)]);
}

#[test]
fn not_json() {
    let nested = |around: &str| around.replace('@', &"[".repeat(130_000));
    for (variable, reason) in [
        ("not JSON".to_owned(), "ISTIO_KUBE_APP_PROBERS: not JSON"),
        (nested("{\"/app-health/a/readyz\":@"), "ISTIO_KUBE_APP_PROBERS"),
    ] {
        let shown = variable[..variable.len().min(40)].to_owned();
        let envoy = envoy(variable);
        let get = || envoy.get("/app-health/a/readyz");
        check([(&shown, get(), Reason(500, reason)), (&shown, get(), Reason(500, reason))]);
        assert!(envoy.log().contains(reason), "{shown}: not logged at start");
    }
}

#[test]
fn bytes_that_are_not_utf8() {
    let envoy = envoy(OsString::from_vec(b"{\"/app-health/a/readyz\":\"\xff\"}".to_vec()));
    check([("probe", envoy.get("/app-health/a/readyz"), Reason(500, "not UTF-8"))]);
}

#[test]
fn as_much_as_exec_takes() {
    let app = Http::start(V4, |_| Script::status(200));
    let entry = format!(r#""/app-health/c/readyz":{{"httpGet":{{"port":{}}}}}"#, app.addr().port());
    let name = "ISTIO_KUBE_APP_PROBERS=".len() + 1;
    let padding = 131_072 - name - "{,}".len() - entry.len() - r#""":0"#.len();
    let envoy = envoy(format!(r#"{{{entry},"{}":0}}"#, "x".repeat(padding)));
    check([("probe", envoy.get("/app-health/c/readyz"), App(200))]);
}
