use std::net::SocketAddr;

use app_health_tests::app::{Closed, Grpc, Health, Http, Script, V4};
use app_health_tests::entries::{Entries, grpc, grpc_tls, http, https, probe, tcp, within};
use app_health_tests::envoy::{LIMIT, Setup};
use app_health_tests::health::ServingStatus::NotServing;

use super::expected::word;

const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";

/// What a deployment changes for the detailed form.
fn detailed(config: &str) -> String {
    let replaced = |text: &str, from: &str, to: &str| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replace(from, to)
    };
    let plain = r#"'{"agent_cluster": "app_health_agent"}'"#;
    let setting = r#"'{"agent_cluster": "app_health_agent", "status_codes": "detailed"}'"#;
    replaced(&replaced(config, plain, setting), "status_code: 504", "status_code: 524")
}

#[test]
fn each_has_its_word_its_line_and_its_statuses() {
    let closed = Closed::start(V4);
    let resets = Http::at_accept(V4, Script::close());
    let silent = Http::start(V4, |_| Script::default().hold());
    let stalls = Http::start(V4, |_| Script::raw(HALF).hold());
    let breaks = Http::start(V4, |_| Script::raw(HALF));
    let no_tls = Http::at_accept(V4, Script::raw("HTTP/1.1 400 Bad\r\n\r\n"));
    let garbage = Http::start(V4, |_| Script::raw("SSH-2.0-OpenSSH_9.9\r\n").hold());
    let loops = Http::start(V4, |_| Script::redirect(302, "/"));
    let ill = Grpc::start(V4, Health::Says(NotServing));
    let own = |what: &str, addr: SocketAddr, happened: &str| format!("{what} {addr}: {happened}");
    let not_done = "not done within the probe's timeout";
    let cases = [
        (
            "refused",
            http(closed.addr(), "/"),
            ("refused", 500, 521),
            own("http", closed.addr(), "connection refused"),
        ),
        (
            "tcp",
            tcp(closed.addr()),
            ("refused", 500, 521),
            own("tcp", closed.addr(), "connection refused"),
        ),
        (
            "grpc",
            grpc(closed.addr(), None),
            ("refused", 500, 521),
            own("grpc", closed.addr(), "connection refused"),
        ),
        (
            "reset",
            http(resets.addr(), "/"),
            ("reset", 500, 520),
            own("http", resets.addr(), "connection closed before an answer"),
        ),
        (
            "timeout",
            within(1, http(silent.addr(), "/")),
            ("timeout", 504, 524),
            own("http", silent.addr(), not_done),
        ),
        (
            "stalls",
            within(1, http(stalls.addr(), "/")),
            ("timeout", 504, 524),
            own("http", stalls.addr(), "the app's answer was not complete in time"),
        ),
        (
            "broken",
            http(breaks.addr(), "/"),
            ("broken", 502, 502),
            own("http", breaks.addr(), "the app's answer broke off within its first 10240 bytes"),
        ),
        (
            "tls",
            https(no_tls.addr(), "/"),
            ("tls", 502, 525),
            own("https", no_tls.addr(), "TLS: TLS error"),
        ),
        (
            "grpc-tls",
            grpc_tls(no_tls.addr(), None),
            ("tls", 500, 525),
            own("grpc", no_tls.addr(), "TLS: TLS error"),
        ),
        (
            "invalid",
            http(garbage.addr(), "/"),
            ("invalid", 502, 502),
            own("http", garbage.addr(), "not a valid HTTP answer"),
        ),
        (
            "serving",
            grpc(ill.addr(), None),
            ("not_serving", 500, 503),
            own("grpc", ill.addr(), "NOT_SERVING"),
        ),
        (
            "redirect",
            http(loops.addr(), "/"),
            ("redirect", 502, 502),
            own("http", loops.addr(), "stopped after 9 redirects"),
        ),
    ];
    let entries = cases.iter().fold(Entries::default(), |entries, (name, prober, ..)| {
        entries.probe(name, prober.clone())
    });
    let setup = || Setup::default().probers(entries.clone().patient());
    for (form, envoy) in [
        ("plain", setup().start()),
        ("plain, without an agent", setup().without_agent().start()),
        ("detailed", setup().edited(detailed).start()),
        ("detailed, without an agent", setup().without_agent().edited(detailed).start()),
    ] {
        for (name, _, (reason, plain, detailed), line) in &cases {
            let answer = envoy.get(probe(name)).timeout(LIMIT).send().expect("an answer");
            let status = if form.starts_with("plain") { plain } else { detailed };
            let got = (answer.status, word(&answer));
            assert_eq!(got, (*status, Some(*reason)), "{form}: {name}: {}", answer.text());
            assert!(answer.text().starts_with(line), "{form}: {name}: {}", answer.text());
        }
    }
}

/// A pod's address that is none of this machine's: the way there is none.
#[test]
fn no_way_to_the_pod_and_no_address_to_come_from() {
    let entries = Entries::default().probe("app", http((V4, 9).into(), "/"));
    for (ip, reason, plain, codes) in [
        ("203.0.113.7", "unreachable", 500, 523),
        // No host has ::6, from which the app would be asked.
        ("2001:db8::7", "proxy", 500, 530),
    ] {
        let setup = || {
            let ip = ip.parse().expect("an address");
            Setup::default().probers(entries.clone().patient()).pod_ip(ip)
        };
        for (envoy, status) in [(setup().start(), plain), (setup().edited(detailed).start(), codes)]
        {
            let answer = envoy.get(probe("app")).timeout(LIMIT).send().expect("an answer");
            assert_eq!((answer.status, word(&answer)), (status, Some(reason)), "{}", answer.text());
            assert!(answer.text().starts_with("http "), "{}", answer.text());
        }
    }
}
