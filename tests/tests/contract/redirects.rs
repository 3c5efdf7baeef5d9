//! Redirects. The first request is routed, and later hops are dispatched.

use std::time::Duration;

use super::{
    HTTP, HTTP2, HTTPS, NO_TEXT, PRESTOPZ, READYZ, assert_failure, assert_status, get, host, probe,
    redirected, redirected_of,
};
use crate::host::Host;
use crate::host::app::{App, BodyEnd::*, UpstreamFailure::*};
use crate::host::run::{ProbeRun, Via};

const ENTRY: &str = r#"{"httpGet":{"port":8080,"path":"/a/b?q"}}"#;

#[test]
fn five_codes_are_followed() {
    for status in 300..400 {
        let probe = probe(HTTP, |sent| match sent.via {
            Via::Router => App::redirects(status, "/x"),
            _ => App::answers(204),
        });
        let followed = [301, 302, 303, 307, 308].contains(&status);
        assert_status(&status.to_string(), &probe, if followed { 204 } else { status });
    }
}

#[test]
fn locations_that_are_followed() {
    for (location, url) in [
        ("/x", "http://10.0.0.7:8080/x"),
        ("x?y", "http://10.0.0.7:8080/a/x?y"),
        ("../x", "http://10.0.0.7:8080/x"),
        ("./", "http://10.0.0.7:8080/a/"),
        ("?z", "http://10.0.0.7:8080/a/b?z"),
        ("#f", "http://10.0.0.7:8080/a/b?q"),
        ("/x#f", "http://10.0.0.7:8080/x"),
        ("/a b", "http://10.0.0.7:8080/a%20b"),
        ("/\u{e4}", "http://10.0.0.7:8080/%C3%A4"),
        ("http://10.0.0.7:8080", "http://10.0.0.7:8080/"),
        ("http://10.0.0.7", "http://10.0.0.7:80/"),
        ("http://10.0.0.7/x", "http://10.0.0.7:80/x"),
        ("http://10.0.0.7:81/x", "http://10.0.0.7:81/x"),
        ("HTTP://10.0.0.7:81/", "http://10.0.0.7:81/"),
        ("https://10.0.0.7/x", "https://10.0.0.7:443/x"),
        ("https://10.0.0.7:8443/x", "https://10.0.0.7:8443/x"),
        ("//10.0.0.7:81/x", "http://10.0.0.7:81/x"),
        ("http://10.0.0.7:/x", "http://10.0.0.7:80/x"),
        ("http://u:p@10.0.0.7:81/", "http://10.0.0.7:81/"),
    ] {
        let probe = redirected(ENTRY, location.as_bytes());
        assert_status(location, &probe, 204);
        assert_eq!(probe.urls(), ["http://10.0.0.7:8080/a/b?q", url], "{location}");
        let cluster = if url.starts_with("https") { "app_https_hop" } else { "app_http_hop" };
        assert_eq!((probe.sent[1].via, probe.sent[1].cluster.as_str()), (Via::HttpCall, cluster));
        assert_eq!(probe.sent[1].headers.get(":method").as_deref(), Some("GET"));
    }
}

/// The kubelet compares the Location's host with the pod's address as text.
#[test]
fn locations_that_are_left_over() {
    for location in [
        "",
        "http://10.0.0.8/",
        "http://10.0.0.8:8080/",
        "http://localhost:8080/",
        "http://10.0.0.7./",
        "http://10.0.0.07/",
        "http://[::ffff:10.0.0.7]/",
        "https://example.com",
        "//example.com/x",
        "ftp://example.com/",
        "mailto:x",
        "file:///x",
        "http:///x",
        "http:x",
        "http://10.0.0.7.evil.example/",
        "http://10.0.0.7@evil.example/",
    ] {
        let probe = redirected(ENTRY, location.as_bytes());
        assert_status(location, &probe, 302);
        assert_eq!(probe.sent.len(), 1, "{location}");
    }
}

#[test]
fn locations_that_fail() {
    for location in [
        b"%zz".as_slice(),
        b"/%",
        b":foo",
        b"http://10.0.0.7:x/",
        b"http://10.0.0.7:-1/",
        b"http://[fd00::7/",
        b"http://10.0.0.7 /",
        b"ftp://10.0.0.7/",
        b"ws://10.0.0.7:8080/",
        b"http://10.0.0.7:0/",
        b"http://10.0.0.7:65536/",
        b"/x\x7f",
        b"http://\xff/",
    ] {
        let probe = redirected(ENTRY, location);
        let name = String::from_utf8_lossy(location).into_owned();
        // A host that is not ASCII is another host, so that its redirect is not followed.
        if location == b"http://\xff/" {
            assert!([302, 502].contains(&probe.status()), "{probe:?}");
            continue;
        }
        assert_failure(&name, &probe, 502, "redirect");
        assert_eq!(probe.sent.len(), 1, "{name}");
    }
}

#[test]
fn to_the_status_port() {
    for location in ["http://10.0.0.7:15020/", "https://10.0.0.7:15020/x", "//10.0.0.7:15020"] {
        let probe = redirected(ENTRY, location.as_bytes());
        assert!([500, 502].contains(&probe.status()), "{location}: {probe:?}");
        assert_failure(location, &probe, probe.status(), "status port");
        assert_eq!(probe.sent.len(), 1, "{location}");
    }
}

#[test]
fn nine_are_followed_and_the_tenth_fails() {
    let chain = |length: usize| {
        let mut asked = 0;
        probe(HTTP, move |_| {
            asked += 1;
            if asked <= length {
                App::redirects(302, format!("/{asked}"))
            } else {
                App::answers(204)
            }
        })
    };
    for length in 0..=9 {
        let probe = chain(length);
        assert_status(&length.to_string(), &probe, 204);
        assert_eq!(probe.sent.len(), length + 1);
    }
    for length in [10, 11, 1000] {
        let probe = chain(length);
        assert_failure(&length.to_string(), &probe, 502, "redirect");
        assert_eq!(probe.sent.len(), 10);
    }
}

#[test]
fn the_tenth_to_another_host_is_left_over() {
    let mut asked = 0;
    let probe = probe(HTTP, |_| {
        asked += 1;
        App::redirects(302, if asked <= 9 { "/x" } else { "http://other/" })
    });
    assert_status("the kubelet does not follow it, so it does not count", &probe, 302);
}

#[test]
fn what_the_last_hop_answers() {
    for (app, status, why) in [
        (App::answers(200), 200, ""),
        (App::answers(404).body(100), 404, ""),
        (App::answers(404).text(NO_TEXT).header("x", NO_TEXT), 404, ""),
        (App::answers(503), 503, ""),
        (App::answers(504).text("upstream request timeout"), 504, ""),
        (App::answers(502).text("reset reason: protocol error"), 502, ""),
        (App::answers(300), 300, ""),
        (App::answers(304), 304, ""),
        (App::answers(302), 302, ""),
        (App::redirects(302, "http://other/"), 302, ""),
        (App::answers(200).body(100_000), 200, ""),
        (App::answers(200).text("x").ends(Trailers), 200, ""),
        (App::answers(600), 502, "status"),
        (App::answers(101), 502, "status"),
        (App::redirects(302, "%zz"), 502, "redirect"),
        (App::answers(200).body(100).ends(Broken), 502, "."),
        (App::answers(200).body(100).ends(Stalls), 504, "time"),
        (App::Fails(Refused), 500, "refused"),
        (App::Fails(Unreachable), 500, "unreachable"),
        (App::Fails(Reset), 500, ""),
        (App::Fails(NoHttp), 502, "http"),
        (App::Fails(NoTls), 502, "tls"),
        (App::Fails(Silent), 504, "time"),
    ] {
        let probe = probe(HTTP, |sent| match sent.via {
            Via::Router => App::redirects(301, "/x"),
            _ => app.clone(),
        });
        let name = format!("{app:?}");
        match why {
            "" if !matches!(app, App::Fails(_)) => assert_status(&name, &probe, status),
            "." => assert_failure(&name, &probe, status, ""),
            _ => assert_failure(&name, &probe, status, why),
        }
    }
}

#[test]
fn one_timeout_covers_all_hops() {
    let entry = r#"{"httpGet":{"port":8080},"timeoutSeconds":2}"#;
    let step = Duration::from_millis(300);
    let slow = probe(entry, |_| App::redirects(302, "/x").after(step));
    assert_failure("seven times 300 ms are more than 2 s", &slow, 504, "time");
    assert_eq!(slow.took, Duration::from_secs(2));
    let left: Vec<_> = slow.sent.iter().filter_map(|sent| Some(sent.at + sent.timeout?)).collect();
    assert_eq!(left, vec![Duration::from_secs(2); 7], "each hop gets what is left");
    let just = probe(entry, |sent| match sent.at.as_millis() {
        1800 => App::answers(204).after(Duration::from_millis(199)),
        _ => App::redirects(302, "/x").after(step),
    });
    assert_status("just in time", &just, 204);
}

#[test]
fn the_longest_timeout() {
    let entry = r#"{"httpGet":{"port":8080},"timeoutSeconds":2147483647}"#;
    let probe = probe(entry, |sent| match sent.via {
        Via::Router => App::redirects(302, "/x"),
        _ => App::answers(204),
    });
    assert_status("", &probe, 204);
}

/// Go reads up to 2 KiB of the redirect's own body before it follows.
#[test]
fn a_redirect_with_a_body() {
    for (size, end) in [
        (5, Whole),
        (100_000, Whole),
        (10, Trailers),
        (0, Trailers),
        (2_048, Stalls),
        (100_000, Stalls),
        (0, Endless),
    ] {
        for entry in [HTTP, HTTPS, HTTP2] {
            let probe = probe(entry, |sent| match sent.via {
                Via::Router => App::redirects(302, "/x").body(size).ends(end.clone()),
                _ => App::answers(204),
            });
            assert_status(&format!("{size} {end:?} {entry}"), &probe, 204);
        }
    }
}

/// Go does not read a redirect's body that is announced as longer than 2 KiB.
#[test]
fn a_redirect_whose_body_stalls() {
    for (announced, status) in [(None, 504), (Some("2048"), 504), (Some("2049"), 204)] {
        let probe = probe(HTTP, |sent| match (sent.via, announced) {
            (Via::Router, Some(length)) => {
                let redirect = App::redirects(302, "/x").header("content-length", length);
                redirect.body(2_047).ends(Stalls)
            }
            (Via::Router, None) => App::redirects(302, "/x").body(2_047).ends(Stalls),
            _ => App::answers(204),
        });
        assert_status(&format!("{announced:?}"), &probe, status);
    }
}

#[test]
fn a_dispatch_that_fails_at_once() {
    let mut host = host(HTTP);
    host.state_mut().dispatch_fails = true;
    let probe = redirected_of(&mut host, get(READYZ), b"/x");
    assert_failure("", &probe, 500, "redirect");
}

/// Go's client percent-encodes the bytes of a path.
#[test]
fn locations_that_are_no_text() {
    let path = [b"/", NO_TEXT].concat();
    let probe = probe(ENTRY, |sent| match sent.url().as_str() {
        "http://10.0.0.7:8080/a/b?q" => App::redirects(302, &path).header("x", NO_TEXT),
        "http://10.0.0.7:8080/a%FF%C3" => App::redirects(307, &path[1..]).header("x", NO_TEXT),
        _ => App::answers(204),
    });
    assert_failure("it redirects to itself", &probe, 502, "redirects");
    for (location, status) in [
        ([b"/x?", NO_TEXT].concat(), 204),
        ([b"/x#", NO_TEXT].concat(), 204),
        ([b"//", NO_TEXT].concat(), 302),
        ([b"http://10.0.0.7:", NO_TEXT].concat(), 502),
        ([NO_TEXT, b"://10.0.0.7/"].concat(), 502),
        ([b"http://", NO_TEXT, b"@10.0.0.7/"].concat(), 502),
    ] {
        let name = String::from_utf8_lossy(&location).into_owned();
        assert_eq!(redirected(ENTRY, &location).status(), status, "{name}");
        let hop = host(ENTRY).run(get(READYZ), |sent| match sent.headers.get(":path") {
            Some(path) if path == "/a/b?q" => App::redirects(302, "/a/c"),
            Some(path) if path == "/a/c" => App::redirects(302, &location),
            _ => App::answers(204),
        });
        assert_eq!(hop.status(), status, "of a later hop: {name}: {hop:#?}");
    }
}

#[test]
fn over_ipv6() {
    for (location, url) in [
        ("/x", "http://[fd00::7]:8080/x"),
        ("http://[fd00::7]:81/x", "http://[fd00::7]:81/x"),
        ("https://[fd00::7]", "https://[fd00::7]:443/"),
    ] {
        let request = get(READYZ).to("[fd00::7]:15020");
        let probe = redirected_of(&mut host(HTTP), request, location.as_bytes());
        assert_status(location, &probe, 204);
        assert_eq!(probe.urls()[1], url, "{location}");
    }
    let request = get(READYZ).to("[fd00::7]:15020");
    let other = redirected_of(&mut host(HTTP), request, b"http://[fd00:0::7]:8080/");
    assert_status("compared as text", &other, 302);
}

/// Host and destination are the pod's, also when the probe came over loopback.
#[test]
fn over_loopback() {
    let mut host = Host::builder()
        .env("POD_IP", "10.0.0.9")
        .env("ISTIO_KUBE_APP_PROBERS", super::variable(HTTP))
        .build();
    for (location, urls) in [
        ("/x", vec!["http://10.0.0.9:8080/", "http://10.0.0.9:8080/x"]),
        ("http://10.0.0.9:81/", vec!["http://10.0.0.9:8080/", "http://10.0.0.9:81/"]),
        ("http://127.0.0.1:81/", vec!["http://10.0.0.9:8080/"]),
    ] {
        let request = get(READYZ).to("127.0.0.1:15020");
        let probe = redirected_of(&mut host, request, location.as_bytes());
        assert_eq!(probe.urls(), urls, "{location}");
    }
}

/// Envoy ends the dial of a later hop early, so that no other check waits for that dial.
#[test]
fn a_dial_that_times_out_is_made_anew_while_there_is_time() {
    let mut dials = 0;
    let dead_at_first = probe(HTTP, |sent| match sent.via {
        Via::Router => App::redirects(302, "http://10.0.0.7:81/x"),
        _ => {
            dials += 1;
            if dials < 4 { App::Fails(DialTimedOut) } else { App::answers(200) }
        }
    });
    assert_status("", &dead_at_first, 200);
    let hops = &dead_at_first.sent[1..];
    let left: Vec<u128> =
        hops.iter().map(|sent| sent.timeout.expect("a limit").as_millis()).collect();
    assert_eq!(left, [1000, 750, 500, 250]);
    for sent in hops {
        assert_eq!(sent.headers.lines(), hops[0].headers.lines());
    }
    let dead = probe_of_dead_hop(HTTP, READYZ);
    assert_failure("", &dead, 504, "not done within");
    // A hook without a timeout is dialled for as long as Linux would try.
    let hook = probe_of_dead_hop(HTTP, PRESTOPZ);
    assert_eq!((hook.status(), hook.took.as_secs()), (0, 127));
}

fn probe_of_dead_hop(entry: &str, path: &str) -> ProbeRun {
    host(entry).run(get(path), |sent| match sent.via {
        Via::Router => App::redirects(302, "http://10.0.0.7:81/x"),
        _ => App::Fails(DialTimedOut),
    })
}

/// The kubelet's client for HTTP/2 in clear text speaks no other protocol, and verifies certificates.
#[test]
fn over_http2() {
    let hop = probe(HTTP2, |sent| match sent.via {
        Via::Router => App::redirects(302, "http://10.0.0.7:81/x"),
        _ => App::answers(200),
    });
    assert_status("", &hop, 200);
    assert_eq!(hop.sent[1].cluster, "app_grpc");
    assert_eq!(hop.sent[1].headers.get("connection"), None);
    let to_tls = probe(HTTP2, |_| App::redirects(302, "https://10.0.0.7:81/x"));
    assert_failure("", &to_tls, 502, "redirect from HTTP/2");
}
