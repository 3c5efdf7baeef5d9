//! Each reason: its line, its header, and its status in both forms.

use super::{HTTP, HTTPS, READYZ, assert_status, get, unasked, variable};
use crate::host::Host;
use crate::host::app::{App, BodyEnd::*, UpstreamFailure::*};
use crate::host::run::{ProbeRun, UpstreamRequest, Via};

const TCP: &str = r#"{"tcpSocket":{"port":2940}}"#;
const GRPC: &str = r#"{"grpc":{"port":9090}}"#;
const PLAIN: &str = r#"{"status_codes":"plain"}"#;
const DETAILED: &str = r#"{"status_codes":"detailed"}"#;

fn run(
    settings: &str,
    variable: &str,
    path: &str,
    app: impl FnMut(&UpstreamRequest) -> App,
) -> ProbeRun {
    let builder = Host::builder().env("ISTIO_KUBE_APP_PROBERS", variable);
    builder.plugin_config(settings).build().run(get(path), app)
}

fn header(probe: &ProbeRun) -> Option<String> {
    probe.response().expect("an answer").headers.get("x-app-health-reason")
}

/// An entry, what the app does, and the answer: reason, plain status, detailed status, line.
type Case<'a> = (&'a str, &'a dyn Fn(&UpstreamRequest) -> App, &'a str, u16, u16, &'a str);

#[track_caller]
fn check(cases: &[Case]) {
    for (entry, app, reason, plain, detailed, line) in cases {
        for (settings, status) in [("", plain), (PLAIN, plain), (DETAILED, detailed)] {
            let probe = run(settings, &variable(entry), READYZ, app);
            let got = (probe.status(), header(&probe), probe.reason());
            let want = (*status, Some((*reason).to_owned()), (*line).to_owned());
            assert_eq!(got, want, "{settings} {entry}");
        }
    }
}

#[test]
fn http() {
    const REFUSED: &str = "http 10.0.0.7:8080: connection refused";
    const TIMEOUT: &str = "http 10.0.0.7:8080: not done within the probe's timeout";
    check(&[
        (HTTP, &|_| App::Fails(Refused), "refused", 500, 521, REFUSED),
        (
            HTTP,
            &|_| App::Fails(Unreachable),
            "unreachable",
            500,
            523,
            "http 10.0.0.7:8080: no connection: Network is unreachable",
        ),
        (
            HTTP,
            &|_| App::Fails(Reset),
            "reset",
            500,
            520,
            "http 10.0.0.7:8080: connection closed before an answer",
        ),
        (HTTP, &|_| App::Fails(Silent), "timeout", 504, 524, TIMEOUT),
        (
            HTTPS,
            &|_| App::Fails(NoTls),
            "tls",
            502,
            525,
            "https 10.0.0.7:8080: TLS: TLS error:|268435703:SSL routines:OPENSSL internal:WRONG VERSION NUMBER:TLS error end",
        ),
        (
            super::HTTP2,
            &|_| App::Fails(NoHttp),
            "invalid",
            502,
            502,
            "http2 10.0.0.7:8080: not a valid HTTP answer",
        ),
        (
            HTTP,
            &|_| App::answers(600),
            "invalid",
            502,
            502,
            "http 10.0.0.7:8080: the app answered with the status 600",
        ),
    ]);
}

#[test]
fn redirects() {
    fn then(location: &'static str, app: App) -> impl Fn(&UpstreamRequest) -> App {
        move |sent| match sent.via {
            Via::Router => App::redirects(302, location),
            _ => app.clone(),
        }
    }
    check(&[
        (
            HTTP,
            &|_| App::redirects(302, "/x"),
            "redirect",
            502,
            502,
            "http 10.0.0.7:8080: stopped after 9 redirects",
        ),
        (
            HTTP,
            &then("ftp://10.0.0.7/", App::answers(200)),
            "redirect",
            502,
            502,
            "http 10.0.0.7:8080: redirect: unknown scheme: ftp://10.0.0.7/",
        ),
        (
            HTTP,
            &then("http://10.0.0.7:15020/", App::answers(200)),
            "redirect",
            502,
            502,
            "http 10.0.0.7:8080: redirect to the status port: it would probe itself",
        ),
        (
            HTTP,
            &then("https://10.0.0.7:81/x", App::Fails(Refused)),
            "refused",
            500,
            521,
            "http 10.0.0.7:8080: redirect to https://10.0.0.7:81: connection refused",
        ),
        (
            HTTP,
            &then("/x", App::answers(200).text("x").ends(Broken)),
            "broken",
            502,
            502,
            "http 10.0.0.7:8080: redirect to http://10.0.0.7:8080: the app's answer broke off, or was longer than Envoy buffers",
        ),
    ]);
}

#[test]
fn grpc() {
    check(&[
        (
            GRPC,
            &|_| App::Message(vec![8, 2]),
            "not_serving",
            500,
            503,
            "grpc 10.0.0.7:9090: NOT_SERVING",
        ),
        (
            GRPC,
            &|_| App::grpc_status(5, "no x"),
            "not_serving",
            500,
            503,
            "grpc 10.0.0.7:9090: service unknown: no x",
        ),
        (
            GRPC,
            &|_| App::Message(vec![0xff]),
            "invalid",
            500,
            502,
            "grpc 10.0.0.7:9090: not a health check's answer",
        ),
        (
            GRPC,
            &|_| App::Fails(Refused),
            "refused",
            500,
            521,
            "grpc 10.0.0.7:9090: connection refused",
        ),
        (
            GRPC,
            &|_| App::Fails(RemoteReset),
            "reset",
            500,
            520,
            "grpc 10.0.0.7:9090: connection closed before an answer",
        ),
        (
            GRPC,
            &|_| App::Fails(NoHttp),
            "invalid",
            500,
            502,
            "grpc 10.0.0.7:9090: not a valid HTTP answer",
        ),
        (
            r#"{"grpc":{"port":9090,"mode":"TLS"}}"#,
            &|_| App::Fails(NoTls),
            "tls",
            500,
            525,
            "grpc 10.0.0.7:9090: TLS: TLS error:|268435703:SSL routines:OPENSSL internal:WRONG VERSION NUMBER:TLS error end",
        ),
        (
            GRPC,
            &|_| App::Fails(Silent),
            "timeout",
            504,
            524,
            "grpc 10.0.0.7:9090: not done within the probe's timeout",
        ),
    ]);
}

#[test]
fn tcp_by_the_agent() {
    let agent = |word: &'static str, text: &'static str| {
        move |_: &UpstreamRequest| App::answers(500).header("x-app-health-reason", word).text(text)
    };
    const HANGS: &str = "tcp 10.0.0.7:2940: 16 dials are waiting for this port already";
    check(&[
        (
            TCP,
            &agent("refused", "10.0.0.7:2940: Connection refused"),
            "refused",
            500,
            521,
            "tcp 10.0.0.7:2940: connection refused",
        ),
        (
            TCP,
            &agent("unreachable", "10.0.0.7:2940: No route to host"),
            "unreachable",
            500,
            523,
            "tcp 10.0.0.7:2940: No route to host",
        ),
        (
            TCP,
            &agent("timeout", "10.0.0.7:2940: no connection within 950 ms"),
            "timeout",
            500,
            524,
            "tcp 10.0.0.7:2940: no connection within 950 ms",
        ),
        (
            TCP,
            &agent("agent", "10.0.0.7:2940: 16 dials are waiting for this port already"),
            "agent",
            500,
            530,
            HANGS,
        ),
        (TCP, &agent("ok", ""), "agent", 500, 530, "tcp 10.0.0.7:2940: no reason given"),
        (
            TCP,
            &|_| App::answers(400).text("not an address of this pod\n"),
            "agent",
            500,
            530,
            "tcp 10.0.0.7:2940: the agent refused: not an address of this pod",
        ),
        (
            TCP,
            &|_| App::Fails(Silent),
            "agent",
            500,
            530,
            "tcp 10.0.0.7:2940: the agent did not answer in time",
        ),
    ]);
}

#[test]
fn tcp_by_envoy() {
    fn alone(app: App) -> impl Fn(&UpstreamRequest) -> App {
        move |sent| match sent.via {
            Via::AgentCall => App::Fails(Refused),
            _ => app.clone(),
        }
    }
    check(&[
        (
            TCP,
            &alone(App::Fails(Refused)),
            "refused",
            500,
            521,
            "tcp 10.0.0.7:2940: connection refused",
        ),
        (
            TCP,
            &alone(App::Fails(Unreachable)),
            "unreachable",
            500,
            523,
            "tcp 10.0.0.7:2940: no connection: Network is unreachable",
        ),
        (
            TCP,
            &alone(App::Fails(DialTimedOut)),
            "timeout",
            500,
            524,
            "tcp 10.0.0.7:2940: no connection within the probe's timeout",
        ),
    ]);
}

/// Envoy cannot do what the filter asks for.
#[test]
fn proxy() {
    for (settings, status) in [(PLAIN, 500), (DETAILED, 530)] {
        let builder = Host::builder().env("ISTIO_KUBE_APP_PROBERS", variable(GRPC));
        let mut host = builder.plugin_config(settings).build();
        host.state_mut().dispatch_fails = true;
        let probe = host.run(get(READYZ), unasked);
        assert_eq!((probe.status(), header(&probe).as_deref()), (status, Some("proxy")));
        assert_eq!(probe.reason(), "grpc 10.0.0.7:9090: the check cannot be sent");
    }
}

/// What is recorded is not valid: nothing is tried, and both forms have the same status.
#[test]
fn config() {
    let invalid = variable("{}");
    let unsendable = variable(r#"{"httpGet":{"port":8080,"path":"mailto:x"}}"#);
    let itself = variable(r#"{"tcpSocket":{"port":15020}}"#);
    for settings in [PLAIN, DETAILED] {
        for (variable, line) in [
            ("{", "ISTIO_KUBE_APP_PROBERS: not JSON"),
            (&invalid, "/app-health/app/readyz: "),
            (&unsendable, "httpGet.path: "),
            (&itself, "its port is the status port"),
        ] {
            let probe = run(settings, variable, READYZ, unasked);
            assert_eq!((probe.status(), header(&probe).as_deref()), (500, Some("config")));
            assert!(probe.reason().starts_with(line), "{}", probe.reason());
        }
    }
}

/// A client's mistake is no state of a probe.
#[test]
fn what_is_not_recorded_has_none() {
    for settings in [PLAIN, DETAILED] {
        let probe = run(settings, &variable(HTTP), "/app-health/x/readyz", unasked);
        assert_eq!((probe.status(), header(&probe)), (400, None));
    }
}

/// The app's own status goes out alone, whatever it says itself.
#[test]
fn the_apps_own_answer_has_none() {
    for status in [200, 302, 404, 500, 503, 521] {
        let app = App::answers(status).header("x-app-health-reason", "refused");
        for body in ["", "x"] {
            let probe = run(DETAILED, &variable(HTTP), READYZ, |_| app.clone().text(body));
            assert_status("", &probe, status);
        }
    }
    assert_status("", &run(DETAILED, &variable(GRPC), READYZ, |_| App::Message(vec![8, 1])), 200);
}
