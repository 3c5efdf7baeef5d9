//! Nothing that a pod, a configuration, a client or an app's answer contains may trap the VM or
//! leave a client without an answer. The emulator panics at a trap, and when a client waits for ever.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{HTTP, HTTPS, PRESTOPZ, READYZ, get, host, variable};
use crate::host::Host;
use crate::host::app::{App, BodyEnd::*, HttpResponse, UpstreamFailure::*};
use crate::host::headers::Headers;

fn config() -> ProptestConfig {
    ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() }
}

/// JSON that is nearly right, and bytes that are no JSON.
fn json() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "null",
        "true",
        "0",
        "-1",
        "1e9",
        "15020",
        " ",
        "\\u00",
        "\\ud800",
        "\\",
        "\u{1}",
        "\"httpGet\"",
        "\"port\"",
        "\"tcpSocket\"",
        "\"grpc\"",
        "\"path\"",
        "\"timeoutSeconds\"",
        "\"/app-health/app/readyz\"",
        "\"status_port\"",
        "\"agent_cluster\"",
        "é",
    ]);
    prop_oneof![
        vec(any::<u8>(), 0..60),
        vec(token, 0..40).prop_map(|tokens| tokens.concat().into_bytes()),
        ("[a-zA-Z]{0,12}", json_value(), "[a-zA-Z]{0,16}", json_value()).prop_map(
            |(a, b, c, d)| {
                format!(
                    r#"{{"{READYZ}":{{"{a}":{b},"{c}":{d},"httpGet":{{"port":1,"path":{b}}}}}}}"#
                )
                .into_bytes()
            }
        ),
    ]
}

fn json_value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("a number", |n| n.is_finite()).prop_map(|n| n.to_string()),
        "[ -!#-\\[\\]-~]{0,8}".prop_map(|text| format!("\"{text}\"")),
        Just("{}".to_owned()),
        Just("[[1],{}]".to_owned()),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    // Envoy's codec lets no other bytes through.
    vec(prop_oneof![Just(b'\t'), 0x20_u8..=0x7e, 0x80_u8..=0xff], 0..24)
}

/// Envoy's codec lets no other name through: it answers 400, or takes an answer for no HTTP.
fn name() -> impl Strategy<Value = Vec<u8>> {
    "[a-z0-9!#$%&'*+.^_`|~-]{1,24}".prop_map(String::into_bytes)
}

fn location() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        "http:", "https:", "//", "10.0.0.7", ":", "8080", "15020", "/", "..", ".", "?", "#", "%",
        "%41", "@", "[", "]", "::", "u:p", "x", "é", "99999",
    ]);
    prop_oneof![text(), vec(part, 0..8).prop_map(|parts| parts.concat().into_bytes())]
}

fn answer() -> impl Strategy<Value = App> {
    let status = prop_oneof![
        (200_u16..600).prop_map(|status| status.to_string().into_bytes()),
        prop::sample::select(vec!["301", "302", "307"]).prop_map(|s| s.as_bytes().to_vec()),
        text(),
    ];
    let end = prop::sample::select(vec![Whole, EmptyPiece, Trailers, Broken, Stalls, Endless]);
    let headers = vec((prop_oneof![Just(b"location".to_vec()), name()], location()), 0..4);
    let pieces = vec(0_usize..12_000, 0..3);
    let http = (status, headers, pieces, end, 0_u64..1500).prop_map(
        |(status, headers, pieces, end, after)| {
            let mut all = Headers::of([(b":status", status)]);
            headers.iter().for_each(|(name, value)| all.add(name, value));
            let pieces = pieces.into_iter().map(|size| vec![b'x'; size]).collect();
            App::Http(HttpResponse {
                headers: all,
                pieces,
                end,
                after: Duration::from_millis(after),
            })
        },
    );
    let failure = prop::sample::select(vec![Refused, Unreachable, Reset, NoHttp, NoTls, Silent]);
    prop_oneof![4 => http, 1 => failure.prop_map(App::Fails)]
}

fn request_headers() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
    let known = prop::sample::select(vec![
        ":authority",
        "connection",
        "x-forwarded-proto",
        "x-app-health-forwarded-proto",
        "referer",
        "authorization",
        "x-envoy-original-dst-host",
        "user-agent",
        "te",
        "accept",
    ]);
    vec((prop_oneof![known.prop_map(|name| name.as_bytes().to_vec()), name()], text()), 0..6)
}

/// The kubelet is told a status that HTTP knows; only a hook may get no answer.
fn assert_answered(path: &str, status: u16) {
    let closed = status == 0 && path == PRESTOPZ;
    assert!(closed || (200..600).contains(&status), "{path}: {status}");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_configuration(
        variable in json(),
        plugin in json(),
        pod_ip in text(),
        path in text(),
    ) {
        let mut host = Host::builder()
            .env("POD_IP", pod_ip)
            .env("ISTIO_KUBE_APP_PROBERS", variable)
            .plugin_config(plugin)
            .build();
        for path in [READYZ.as_bytes(), PRESTOPZ.as_bytes(), &[b"/app-health/", &path[..]].concat()] {
            let id = host.request(get(path).to("127.0.0.1:15020"));
            host.client_gone_unless_ended(id);
        }
    }

    #[test]
    fn any_headers(headers in request_headers(), answers in vec(answer(), 1..4), https in any::<bool>()) {
        let entry = if https { HTTPS } else { HTTP };
        let mut host = host(entry);
        let mut request = get(READYZ);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let mut next = answers.iter().cycle();
        let probe = host.run(request, |_| next.next().expect("a cycle").clone());
        assert_answered(READYZ, probe.status());
        assert!(probe.took <= Duration::from_secs(1), "{:?}", probe.took);
        assert!(probe.sent.len() <= 10);
        assert!(probe.sent.iter().all(|sent| sent.destination.starts_with("10.0.0.7:")), "{probe:#?}");
    }

    #[test]
    fn any_answer_to_a_hook(answers in vec(answer(), 1..4), https in any::<bool>()) {
        // Some of the answers never come, so that the hook needs a timeout.
        let entry = format!(r#"{{"httpGet":{{"port":8080{}}},"timeoutSeconds":1}}"#, if https { r#","scheme":"HTTPS""# } else { "" });
        let mut next = answers.iter().cycle();
        let probe = host(&entry).run(get(PRESTOPZ), |_| next.next().expect("a cycle").clone());
        assert_answered(PRESTOPZ, probe.status());
    }

    #[test]
    fn any_answer_of_agent_and_health_service(
        app in answer(), message in vec(any::<u8>(), 0..40), code in any::<u32>(), grpc in any::<bool>(),
    ) {
        let kind = if grpc { "grpc" } else { "tcpSocket" };
        let mut host = Host::with_probers(variable(&format!(r#"{{"{kind}":{{"port":1}}}}"#)));
        let probe = host.run(get(READYZ), |_| match grpc {
            true if code % 2 == 0 => App::Message(message.clone()),
            true => App::grpc_status(code, "x"),
            false => app.clone(),
        });
        assert_answered(READYZ, probe.status());
    }

    /// A client may send any path, method and body.
    #[test]
    fn any_path_and_method(path in text(), method in text(), body in any::<bool>(), ours in any::<bool>()) {
        let path = if ours { [b"/app-health/", &path[..]].concat() } else { path };
        let mut request = get(&path).with(":method", method);
        request.has_body = body;
        let mut host = host(HTTP);
        let id = host.request(request);
        host.client_gone_unless_ended(id);
    }
}
