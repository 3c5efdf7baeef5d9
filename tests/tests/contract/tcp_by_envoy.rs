//! `tcpSocket` probes where the agent cannot be reached: Envoy's router makes the connection.

use std::time::Duration;

use super::{PRESTOPZ, READYZ, assert_failure, assert_status, call, get, host, variable};
use crate::host::Host;
use crate::host::app::{
    App,
    BodyEnd::Broken,
    UpstreamFailure::{self, *},
};
use crate::host::run::{ProbeRun, UpstreamRequest, Via};
use crate::host::state::LogLevel;

const TCP: &str = r#"{"tcpSocket":{"port":2940},"timeoutSeconds":3}"#;

/// The agent cannot be reached, and the app's port does this.
fn without_agent(app: App) -> impl FnMut(&UpstreamRequest) -> App {
    move |sent| {
        if sent.via == Via::AgentCall { App::Fails(Refused) } else { app.clone() }
    }
}

fn via(probe: &ProbeRun) -> Vec<Via> {
    probe.sent.iter().map(|sent| sent.via).collect()
}

#[test]
fn answers() {
    for (name, app, status, why) in [
        ("accepts", App::answers(200), 200, ""),
        ("accepts and talks", App::answers(200).body(8192), 200, ""),
        ("accepts and resets", App::Fails(ConnectReset), 200, ""),
        ("refuses", App::Fails(Refused), 500, "tcp 10.0.0.7:2940: connection refused"),
        ("unreachable", App::Fails(Unreachable), 500, "Network is unreachable"),
        ("never accepts", App::Fails(Silent), 500, "no connection within"),
        ("dials that all timed out", App::Fails(DialTimedOut), 500, "no connection within"),
    ] {
        let probe = host(TCP).run(get(READYZ), without_agent(app));
        match status {
            200 => assert_status(name, &probe, 200),
            _ => assert_failure(name, &probe, status, why),
        }
        assert_eq!(via(&probe), [Via::AgentCall, Via::Router], "{name}");
        let sent = &probe.sent[1];
        assert_eq!((sent.cluster.as_str(), sent.destination.as_str()), ("tcp", "10.0.0.7:2940"));
    }
}

/// Envoy makes the check where the agent refuses, resets or breaks off, or cannot be asked at all. Any other
/// failure of the agent is the failure of the check.
#[test]
fn where_the_agent_is_not_there() {
    for (name, agent) in [
        ("refuses", App::Fails(Refused)),
        ("resets", App::Fails(Reset)),
        ("breaks off", App::answers(500).text("x").ends(Broken)),
        ("breaks off at once", App::answers(200).ends(Broken)),
    ] {
        for (app, status) in [(App::answers(200), 200), (App::Fails(Refused), 500)] {
            let probe = host(TCP).run(get(READYZ), |sent| match sent.via {
                Via::AgentCall => agent.clone(),
                _ => app.clone(),
            });
            assert_eq!((probe.status(), probe.sent.len()), (status, 2), "{name}");
        }
    }
    let mut host = host(TCP);
    let id = host.request(get(READYZ));
    // Envoy ends a call 5 ms early, perhaps.
    host.advance(Duration::from_millis(2_996));
    let token = call(&host).token;
    host.answer_http_call(token, Default::default());
    assert_eq!(host.stream(id).response().expect("an answer").status(), 500, "broke off too late");
    host.state_mut().dispatch_fails = true;
    let probe = host.run(get(READYZ), |_| App::answers(200));
    assert_status("no such cluster", &probe, 200);
    assert_eq!(via(&probe), [Via::Router]);
}

#[test]
fn an_agent_that_is_not_wanted_is_not_asked() {
    let mut host = Host::builder()
        .env("ISTIO_KUBE_APP_PROBERS", variable(TCP))
        .plugin_config(r#"{"agent_cluster":""}"#)
        .build();
    let probe = host.run(get(READYZ), |_| App::answers(200));
    assert_status("", &probe, 200);
    assert_eq!(via(&probe), [Via::Router]);
    assert_eq!(probe.sent[0].timeout, Some(Duration::from_secs(3)));
    assert_eq!(probe.sent[0].headers.get("x-envoy-max-retries").as_deref(), Some("12"));
}

#[test]
fn the_time_that_is_left() {
    let mut host = host(TCP);
    let id = host.request(get(READYZ));
    host.advance(Duration::from_millis(1_200));
    let token = call(&host).token;
    host.answer_http_call(token, Reset.callout_response());
    let request = &host.stream(id).request;
    assert_eq!(request.get("x-envoy-upstream-rq-timeout-ms").as_deref(), Some("1800"));
    host.client_gone(id);

    let id = host.request(get(READYZ));
    host.advance(Duration::from_secs(3));
    let token = call(&host).token;
    host.answer_http_call(token, Reset.callout_response());
    let answer = host.stream(id).response().expect("an answer").clone();
    assert_eq!(answer.status(), 500);
    assert!(answer.text().contains("not done within"), "{answer:?}");
}

/// A hook has no timeout, and one dial.
#[test]
fn hooks() {
    const TCP: &str = r#"{"tcpSocket":{"port":2940}}"#;
    let broken = |sent: &UpstreamRequest| match sent.via {
        Via::AgentCall => App::answers(500).ends(Broken),
        _ => App::answers(200),
    };
    assert_status("broke off", &host(TCP).run(get(PRESTOPZ), broken), 200);
    let probe = host(TCP).run(get(PRESTOPZ), without_agent(App::answers(200)));
    assert_status("", &probe, 200);
    assert_eq!(probe.sent[1].timeout, None);
    assert_eq!(probe.sent[1].headers.get("x-envoy-max-retries"), None);
    let probe = host(TCP).run(get(PRESTOPZ), without_agent(App::Fails(Refused)));
    assert_eq!(probe.end, crate::host::stream::StreamEnd::Reset);
}

/// Envoy would turn any local reply to such a request into a success.
#[test]
fn a_request_with_a_grpc_content_type_is_not_routed() {
    let request = get(READYZ).header("content-type", "application/grpc");
    for agent in [App::Fails(Refused), App::answers(200).ends(Broken)] {
        let probe = host(TCP).run(request.clone(), |sent| match sent.via {
            Via::AgentCall => agent.clone(),
            _ => panic!("routed: {sent:?}"),
        });
        assert_eq!(probe.status(), 500, "{probe:#?}");
    }
    let probe = host(TCP).run(request, |_| App::answers(200));
    assert_eq!((probe.status(), via(&probe)), (200, vec![Via::AgentCall]));
}

#[test]
fn one_line_when_the_agent_goes_and_one_when_it_is_back() {
    let mut host = host(TCP);
    let mut said = Vec::new();
    for there in [false, true, true, false, false, true] {
        host.run(get(READYZ), |sent| match sent.via {
            Via::AgentCall if !there => App::Fails(Refused),
            _ => App::answers(200),
        });
        let lines = [host.take_log(LogLevel::Warn), host.take_log(LogLevel::Info)].concat();
        said.push(lines.into_iter().filter(|line| line.contains("agent")).count());
    }
    // Nothing is logged about an agent that was never reached.
    assert_eq!(said, [0, 0, 0, 1, 0, 1]);
    // An agent that hangs has not been reached again; one whose cluster is gone has been lost.
    let mut lines = |agent: Option<UpstreamFailure>| {
        host.state_mut().dispatch_fails = agent.is_none();
        host.run(get(READYZ), |sent| match (sent.via, agent) {
            (Via::AgentCall, Some(failure)) => App::Fails(failure),
            _ => App::answers(200),
        });
        let lines = [host.take_log(LogLevel::Warn), host.take_log(LogLevel::Info)].concat();
        lines.into_iter().filter(|line| line.contains("the agent is")).count()
    };
    assert_eq!([None, Some(Silent), Some(NoHttp)].map(&mut lines), [1, 0, 0]);
}

/// A client cannot set the limits of Envoy's router.
#[test]
fn the_clients_own_limits_are_taken_off() {
    let request = ["x-envoy-max-retries", "x-envoy-retry-on", "x-envoy-upstream-rq-timeout-ms"]
        .iter()
        .fold(get(READYZ), |request, name| request.header(name, "9"));
    let probe =
        host(r#"{"tcpSocket":{"port":2940}}"#).run(request, without_agent(App::answers(200)));
    let headers = probe.sent[1].headers.lines();
    let of_envoy: Vec<_> = headers.iter().filter(|line| line.starts_with("x-envoy-")).collect();
    assert_eq!(of_envoy, ["x-envoy-max-retries: 4", "x-envoy-upstream-rq-timeout-ms: 1000"]);
}
