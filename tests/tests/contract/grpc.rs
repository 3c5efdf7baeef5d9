//! `grpc` probes are dispatched to the app's health service.

use std::time::Duration;

use super::{NO_TEXT, READYZ, assert_failure, assert_status, call, get, host, probe};
use crate::host::app::{App, UpstreamFailure::*, grpc_response};
use crate::host::run::Via;

const GRPC: &str = r#"{"grpc":{"port":9090,"service":null}}"#;

#[test]
fn what_is_asked() {
    let long = "s".repeat(300);
    let long_entry = format!(r#"{{"grpc":{{"port":9090,"service":"{long}"}}}}"#);
    let long_message = [b"\x0a\xac\x02".as_slice(), long.as_bytes()].concat();
    for (entry, to, destination, message, limit) in [
        (GRPC, "10.0.0.7:15020", "10.0.0.7:9090", b"".as_slice(), 1),
        (GRPC, "[fd00::7]:15020", "[fd00::7]:9090", b"", 1),
        (r#"{"grpc":{"port":9090,"service":""}}"#, "10.0.0.7:15020", "10.0.0.7:9090", b"", 1),
        (
            r#"{"grpc":{"port":9090,"service":"ab"},"timeoutSeconds":3}"#,
            "10.0.0.7:15020",
            "10.0.0.7:9090",
            b"\x0a\x02ab",
            3,
        ),
        (&long_entry, "10.0.0.7:15020", "10.0.0.7:9090", &long_message, 1),
    ] {
        let probe = host(entry).run(get(READYZ).to(to), |_| App::Message(vec![8, 1]));
        assert_status(entry, &probe, 200);
        let sent = &probe.sent[0];
        assert_eq!((sent.via, sent.cluster.as_str()), (Via::GrpcCall, "app_grpc"), "{entry}");
        assert_eq!(sent.destination, destination, "{entry}");
        assert_eq!(sent.rpc, format!("{destination} grpc.health.v1.Health Check"), "{entry}");
        assert_eq!(sent.message, message, "{entry}");
        assert_eq!(sent.timeout, Some(Duration::from_secs(limit)), "{entry}");
        assert_eq!(sent.headers.get("user-agent").as_deref(), Some("kube-probe/1.37"), "{entry}");
        assert_eq!(
            sent.headers.pairs().len(),
            2,
            "nothing else of the client's: {:?}",
            sent.headers
        );
    }
}

#[test]
fn messages() {
    for (message, serving) in [
        (b"\x08\x01".as_slice(), true),
        (b"\x08\x02", false),
        (b"\x08\x00", false),
        (b"", false),
        (b"\x08\x03", false),
        (b"\x08\x04", false),
        (b"\x08\x81\x00", true),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", false),
        (b"\x08\x02\x08\x01", true),
        (b"\x08\x01\x08\x02", false),
        (b"\x08\x01\x10\x05", true),
        (b"\x12\x03abc\x08\x01", true),
        (b"\x11AAAAAAAA\x08\x01\x1dBBBB", true),
        (b"\x08", false),
        (b"\x08\x01\x12\x05a", false),
        (b"\x12\xff\xff\xff\xff\x0f", false),
        (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x08\x01", false),
        (b"garbage", false),
        (b"\x08\x01\xff", false),
    ] {
        let probe = probe(GRPC, |_| App::Message(message.to_vec()));
        let name = format!("{message:x?}");
        if serving {
            assert_status(&name, &probe, 200);
        } else {
            assert_failure(&name, &probe, 500, "grpc");
        }
    }
}

#[test]
fn not_serving_is_named() {
    for (message, why) in [(vec![8, 2], "NOT_SERVING"), (vec![], "UNKNOWN")] {
        assert_failure(why, &probe(GRPC, |_| App::Message(message.clone())), 500, why);
    }
}

#[test]
fn statuses() {
    for (app, status, why) in [
        (App::grpc_status(5, "unknown service"), 500, "unknown"),
        (App::grpc_status(5, ""), 500, "unknown"),
        (App::grpc_status(12, ""), 500, "not implemented"),
        (App::grpc_status(4, ""), 504, "time"),
        (App::grpc_status(14, "Connection refused"), 500, "refused"),
        (App::grpc_status(14, ""), 500, "unavailable"),
        (App::grpc_status(2, "line\nbreak\r\nX: y"), 500, "line"),
        (App::grpc_status(7, "denied"), 500, "denied"),
        (App::grpc_status(16, ""), 500, "16"),
        (App::grpc_status(99, ""), 500, "99"),
        (App::grpc_status(u32::MAX, ""), 500, ""),
        (App::Fails(Refused), 500, "refused"),
        (App::Fails(NoHttp), 500, ""),
        (App::Fails(Silent), 504, "time"),
    ] {
        let probe = probe(GRPC, |_| app.clone());
        assert_failure(&format!("{app:?}"), &probe, status, why);
        assert_eq!(probe.sent.len(), 1, "at once, without dialling again");
    }
}

/// An app's message may be any bytes.
#[test]
fn messages_that_are_no_text() {
    for (code, status, why) in
        [(2, 500, "no text"), (4, 504, "time"), (5, 500, ""), (12, 500, ""), (14, 500, "no text")]
    {
        let said = [NO_TEXT, b" no text"].concat();
        let probe = probe(GRPC, |_| App::grpc_status(code, &said));
        assert_failure(&code.to_string(), &probe, status, why);
    }
    let request = get(READYZ).with("user-agent", NO_TEXT);
    let probe = host(GRPC).run(request, |_| App::Message(vec![8, 1]));
    assert_status("the client's user-agent", &probe, 200);
    assert_eq!(probe.sent[0].headers.first(b"user-agent"), Some(NO_TEXT));
}

#[test]
fn a_call_that_cannot_be_sent() {
    let mut host = host(GRPC);
    host.state_mut().dispatch_fails = true;
    assert_failure("", &host.run(get(READYZ), super::unasked), 500, "grpc");
    // Envoy reports the failure once more, with a token that the filter does not know.
    host.close_unknown_grpc(7);
    host.state_mut().dispatch_fails = false;
    let next = host.run(get(READYZ), |_| App::Message(vec![8, 1]));
    assert_status("the next", &next, 200);
}

#[test]
fn a_client_that_goes_away() {
    let mut host = host(GRPC);
    let id = host.request(get(READYZ));
    host.client_gone(id);
    let token = call(&host).token;
    host.answer_grpc_call(token, Default::default());
    let next = host.run(get(READYZ), |_| App::Message(vec![8, 1]));
    assert_status("the next", &next, 200);
}

#[test]
fn over_tls() {
    for (mode, cluster) in [("TLS", "app_grpc_tls"), ("Plaintext", "app_grpc")] {
        let entry = format!(r#"{{"grpc":{{"port":9090,"service":null,"mode":"{mode}"}}}}"#);
        let serving = probe(&entry, |_| App::Message(vec![8, 1]));
        assert_status(mode, &serving, 200);
        assert_eq!(serving.sent[0].cluster, cluster);
    }
}

/// Envoy ends a dial after a quarter of a second, so that no later check waits for that dial.
#[test]
fn a_dial_that_times_out_is_made_anew_while_there_is_time() {
    let mut host = host(r#"{"grpc":{"port":9090,"service":null},"timeoutSeconds":2}"#);
    let mut dials = 0;
    let probe = host.run(get(READYZ), |_| {
        dials += 1;
        if dials < 8 { App::Fails(DialTimedOut) } else { App::Message(vec![8, 1]) }
    });
    assert_status("", &probe, 200);
    let left: Vec<u128> =
        probe.sent.iter().map(|sent| sent.timeout.expect("a limit").as_millis()).collect();
    assert_eq!(left, [2000, 1750, 1500, 1250, 1000, 750, 500, 250]);

    let probe = host.run(get(READYZ), |_| App::Fails(DialTimedOut));
    assert_failure("", &probe, 504, "not done within");
    assert_eq!(probe.sent.len(), 8);
}

/// An app that knows the call's deadline may end the call before Envoy does.
#[test]
fn a_reset_at_the_deadline_is_a_timeout() {
    for (after, status) in [(0, 500), (900, 500), (996, 504), (1000, 504)] {
        let mut host = host(GRPC);
        let id = host.request(get(READYZ));
        host.advance(Duration::from_millis(after));
        let token = call(&host).token;
        host.answer_grpc_call(token, grpc_response(App::Fails(RemoteReset)));
        assert_eq!(host.stream(id).response().expect("an answer").status(), status, "{after}");
    }
}

/// An app that words its failure as Envoy words a failed dial is not asked again.
#[test]
fn an_app_that_says_what_envoy_says() {
    for text in [
        "x{upstream_reset_before_response_started{connection_timeout}}{via_upstream}",
        "x{upstream_reset_before_response_started{connection_termination}}{via_upstream}",
    ] {
        for code in [2, 14] {
            let entry = r#"{"grpc":{"port":9090},"timeoutSeconds":3}"#;
            let said = probe(entry, |_| App::grpc_status(code, text));
            assert_eq!((said.status(), said.sent.len()), (500, 1), "{code} {text}");
            assert!(!said.reason().contains("via upstream"), "{}", said.reason());
        }
    }
}

/// The kubelet's client dials again after a second, the filter at once, but no more often.
#[test]
fn a_connection_that_the_app_closes_is_made_anew() {
    for (seconds, closed, status) in [(1, 1, 500), (3, 1, 200), (3, 2, 200), (3, 3, 500)] {
        let entry = format!(r#"{{"grpc":{{"port":9090}},"timeoutSeconds":{seconds}}}"#);
        let mut dials = 0;
        let probe = host(&entry).run(get(READYZ), |_| {
            dials += 1;
            if dials <= closed { App::Fails(Reset) } else { App::Message(vec![8, 1]) }
        });
        assert_eq!(probe.status(), status, "{seconds} s, {closed} closed: {probe:#?}");
    }
    // A dial that was refused would be refused again.
    let probe = host(r#"{"grpc":{"port":9090},"timeoutSeconds":3}"#)
        .run(get(READYZ), |_| App::Fails(Refused));
    assert_eq!((probe.status(), probe.sent.len()), (500, 1));
}

/// As where a push changes the cluster. An answer of the app that breaks off looks the same.
#[test]
fn a_call_that_envoy_cuts_off_is_made_anew_once() {
    const CUT_OFF: u32 = 13;
    for (cut_off, status, calls) in [(1, 200, 2), (2, 500, 2)] {
        let mut asked = 0;
        let probe = host(GRPC).run(get(READYZ), |_| {
            asked += 1;
            if asked <= cut_off { App::grpc_status(CUT_OFF, "") } else { App::Message(vec![8, 1]) }
        });
        assert_eq!((probe.status(), probe.sent.len()), (status, calls), "{probe:#?}");
    }
    let said = probe(GRPC, |_| App::grpc_status(CUT_OFF, "of the app's"));
    assert_eq!((said.status(), said.sent.len()), (500, 1));
}
