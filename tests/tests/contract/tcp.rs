//! `tcpSocket` probes that the agent makes.

use std::time::Duration;

use super::{NO_TEXT, READYZ, assert_failure, assert_status, call, get, host, probe};
use crate::host::Host;
use crate::host::app::{App, BodyEnd::*, UpstreamFailure::*};
use crate::host::run::Via;

const TCP: &str = r#"{"tcpSocket":{"port":2940}}"#;

#[test]
fn what_the_agent_is_asked() {
    for (entry, to, path, limit) in [
        (TCP, "10.0.0.7:15020", "/tcp/10.0.0.7/2940", 1000),
        (TCP, "[fd00::7]:15020", "/tcp/fd00::7/2940", 1000),
        (
            r#"{"tcpSocket":{"port":1},"timeoutSeconds":7}"#,
            "10.0.0.7:15020",
            "/tcp/10.0.0.7/1",
            7000,
        ),
        (r#"{"tcpSocket":{"port":1,"host":"1.2.3.4"}}"#, "10.0.0.7:15020", "/tcp/10.0.0.7/1", 1000),
    ] {
        let probe = host(entry).run(get(READYZ).to(to), |_| App::answers(200));
        assert_status(entry, &probe, 200);
        let sent = &probe.sent[0];
        assert_eq!(
            (sent.via, sent.cluster.as_str()),
            (Via::AgentCall, "app_health_agent"),
            "{entry}"
        );
        assert_eq!(sent.headers.get(":path").as_deref(), Some(path), "{entry}");
        assert_eq!(sent.headers.get(":method").as_deref(), Some("GET"), "{entry}");
        assert_eq!(sent.timeout, Some(Duration::from_millis(limit)), "{entry}");
        let agents = sent.headers.get("x-app-health-timeout-ms").expect("the time left");
        let agents: u64 = agents.parse().expect("milliseconds");
        assert!(agents < limit && agents > limit / 2, "{entry}: a little less: {agents}");
        assert_eq!(sent.headers.pairs().len(), 4, "nothing of the client's goes to the agent");
    }
}

#[test]
fn answers() {
    for (name, app, status, why) in [
        ("accepts", App::answers(200), 200, ""),
        ("accepts, with a body", App::answers(200).text("ok"), 200, ""),
        ("refused", App::answers(500).text("connection refused\n"), 500, "connection refused"),
        ("two lines", App::answers(500).text("a\r\nb: c\r\n\r\n"), 500, "a"),
        ("long", App::answers(500).body(100_000), 500, "xxx"),
        ("no UTF-8", App::answers(500).text("\u{fffd}"), 500, ""),
        ("no text", App::answers(500).text([NO_TEXT, b" refused"].concat()), 500, "refused"),
        ("no text in a header", App::answers(200).header("x", NO_TEXT), 200, ""),
        ("with trailers", App::answers(200).ends(Trailers), 200, ""),
        ("no reason", App::answers(500), 500, ""),
        (
            "not this pod's",
            App::answers(400).text("not an address of this pod"),
            500,
            "not an address",
        ),
        ("another server", App::answers(404), 500, "agent"),
        ("another success", App::answers(204), 500, "agent"),
        ("a redirect", App::redirects(302, "/x"), 500, "agent"),
        ("no HTTP", App::Fails(NoHttp), 500, "agent"),
        ("agent is silent", App::Fails(Silent), 500, "agent"),
        ("agent stops half way", App::answers(200).text("x").ends(Stalls), 500, "agent"),
        (
            "agent's time runs out",
            App::answers(500).text("timed out").after(Duration::from_millis(950)),
            500,
            "timed out",
        ),
    ] {
        let probe = probe(TCP, |_| app.clone());
        match status {
            200 => assert_status(name, &probe, 200),
            _ => assert_failure(name, &probe, status, why),
        }
        assert!(probe.reason().len() < 1000, "{name}: a reason is a line");
    }
}

/// Envoy reads the milliseconds of a dispatched call as a signed number.
#[test]
fn the_longest_timeout() {
    let entry = r#"{"tcpSocket":{"port":2940},"timeoutSeconds":2147483647}"#;
    assert_status("", &probe(entry, |_| App::answers(200)), 200);
}

#[test]
fn over_loopback() {
    let mut host = Host::builder()
        .env("POD_IP", "10.0.0.9")
        .env("ISTIO_KUBE_APP_PROBERS", super::variable(TCP))
        .build();
    let probe = host.run(get(READYZ).to("127.0.0.1:15020"), |_| App::answers(200));
    assert_eq!(probe.sent[0].headers.get(":path").as_deref(), Some("/tcp/10.0.0.9/2940"));
}

#[test]
fn a_client_that_goes_away() {
    let mut host = host(TCP);
    let id = host.request(get(READYZ));
    host.client_gone(id);
    let token = call(&host).token;
    host.answer_http_call(token, Default::default());
    assert_status("the next", &host.run(get(READYZ), |_| App::answers(200)), 200);
}
