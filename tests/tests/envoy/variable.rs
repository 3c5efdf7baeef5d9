use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use app_health_tests::app::{Http, Script, V4};
use app_health_tests::envoy::{Envoy, Setup};

use super::want::Want::{self, App, Reason};
use super::want::check;

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
    const NONE: Want = Reason(400, "no probe is recorded for /app-health/a/readyz");
    let unset = Setup::default().start();
    check([("unset", unset.get("/app-health/a/readyz"), NONE)]);
    for variable in ["", "{}", "null"] {
        check([(variable, envoy(variable).get("/app-health/a/readyz"), NONE)]);
    }
}

#[test]
fn not_json_or_no_object() {
    let nested = |around: &str| around.replace('@', &"[".repeat(130_000));
    for (variable, reason) in [
        ("not JSON".to_owned(), "ISTIO_KUBE_APP_PROBERS: not JSON"),
        ("{\"/app-health/a/readyz\":".to_owned(), "not JSON"),
        ("[]".to_owned(), "not a JSON object"),
        ("7".to_owned(), "not a JSON object"),
        (nested("@"), "ISTIO_KUBE_APP_PROBERS"),
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
fn an_entry_that_is_not_valid_harms_no_other() {
    let app = Http::start(V4, |_| Script::status(200));
    let port = app.addr().port();
    let cases = [
        ("none", r#"{"exec":{}}"#.to_owned(), Reason(500, "none of httpGet")),
        (
            "two",
            r#"{"httpGet":{"port":1},"grpc":{"port":1}}"#.to_owned(),
            Reason(500, "more than one"),
        ),
        ("zero", r#"{"tcpSocket":{"port":0}}"#.to_owned(), Reason(500, "tcpSocket.port: 0")),
        ("high", r#"{"httpGet":{"port":65536}}"#.to_owned(), Reason(500, "httpGet.port: 65536")),
        ("text", r#"{"httpGet":{"port":"http"}}"#.to_owned(), Reason(500, "httpGet.port")),
        ("null", "null".to_owned(), Reason(500, "/app-health/null/readyz")),
        ("good", format!(r#"{{"httpGet":{{"port":{port}}}}}"#), App(200)),
        ("more", format!(r#"{{"x":[1],"httpGet":{{"y":{{}},"port":{port}}}}}"#), App(200)),
    ];
    let entry =
        |(name, entry, _): &(&str, String, Want)| format!(r#""/app-health/{name}/readyz":{entry}"#);
    let entries: Vec<String> = cases.iter().map(entry).collect();
    let no_path = r#""/no/path":{"httpGet":{"port":1}}"#;
    let envoy = envoy(format!("{{{},{no_path}}}", entries.join(",")));
    check([("no path", envoy.get("/no/path"), App(404))]);
    check(
        cases.map(|(name, _, want)| (name, envoy.get(format!("/app-health/{name}/readyz")), want)),
    );
    for name in ["none", "two", "zero", "high", "text", "null"] {
        assert!(
            envoy.log().contains(&format!("/app-health/{name}/readyz: ")),
            "{name}: not logged"
        );
    }
    assert!(envoy.log().contains("/no/path: the key is no probe path"));
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
