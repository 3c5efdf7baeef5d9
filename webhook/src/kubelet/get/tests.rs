use super::*;

fn get(target: &str) -> Get {
    Get::probe("10.0.0.7:8080".parse().unwrap(), target)
}

fn written(get: &Get) -> String {
    String::from_utf8(get.bytes()).unwrap()
}

fn lead(get: &Get, location: &str) -> String {
    match get.next(302, Some(location.as_bytes())) {
        Ok(None) => "answer".to_string(),
        Ok(Some(next)) => {
            let (scheme, target) = (next.scheme().as_str(), next.target().escape_ascii());
            format!("{scheme} {} {target}", next.to())
        }
        Err(failure) => format!("{} {failure}", failure.reason.as_str()),
    }
}

fn follow(get: &Get, location: &str) -> Get {
    match get.next(302, Some(location.as_bytes())) {
        Ok(Some(next)) => *next,
        other => panic!("{location}: {other:?}"),
    }
}

#[test]
fn a_probe_is_written_as_go_writes_it() {
    let get = get("/x?y").header("x-second", "2").header("ALPHA", "1").header("te", "");
    assert_eq!(
        written(&get),
        "GET /x?y HTTP/1.1\r\nHost: 10.0.0.7:8080\r\nUser-Agent: kube-probe/1.37\r\n\
         Accept: */*\r\nAlpha: 1\r\nTe: \r\nX-Second: 2\r\nConnection: close\r\n\r\n"
    );
}

#[test]
fn a_hook_keeps_its_connection_and_overrides_replace() {
    let hook = Get::hook("[::1]:80".parse().unwrap(), "/")
        .header("host", "a")
        .header("Host", "b")
        .header("user-agent", "")
        .header("accept", "")
        .header("content-length", "7");
    assert_eq!(written(&hook), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let own = get("/").header("Host", "").header("user-agent", "a");
    let own = own.header("accept", "b");
    assert_eq!(
        written(&own),
        "GET / HTTP/1.1\r\nHost: 10.0.0.7:8080\r\nUser-Agent: a\r\nAccept: b\r\n\
         Connection: close\r\n\r\n"
    );
}

#[test]
fn a_recorded_probe() {
    let header = |name: &str, value: &str| HttpHeader { name: name.into(), value: value.into() };
    let http = HttpGet {
        path: "//u:p@x/a b?c".into(),
        port: 80,
        scheme: Some(Scheme::Https),
        headers: [header("x-a", "1")].into(),
        ..HttpGet::default()
    };
    let ip = "fd00::7".parse().unwrap();
    let get = Get::recorded(&http, ip).unwrap();
    assert_eq!((get.scheme(), get.to()), (Scheme::Https, "[fd00::7]:80".parse().unwrap()));
    assert_eq!(
        written(&get),
        "GET /a%20b?c HTTP/1.1\r\nHost: [fd00::7]:80\r\nUser-Agent: kube-probe/1.37\r\n\
         Accept: */*\r\nAuthorization: Basic dTpw\r\nX-A: 1\r\nConnection: close\r\n\r\n"
    );
    for (path, header) in [
        ("mailto:x", header("a", "b")),
        ("/", header("a", "b\r\nc: d")),
        ("/", header("a b", "")),
        ("/", header("Host", "\u{7f}")),
    ] {
        let http = HttpGet { path: path.into(), headers: [header].into(), ..http.clone() };
        let failure = Get::recorded(&http, ip).unwrap_err();
        assert_eq!(failure.reason, Reason::Config, "{failure}");
    }
}

#[test]
fn locations() {
    let first = get("/a/b?q");
    for (location, leads) in [
        ("/x", "HTTP 10.0.0.7:8080 /x"),
        ("x?y", "HTTP 10.0.0.7:8080 /a/x?y"),
        ("../x", "HTTP 10.0.0.7:8080 /x"),
        ("?z", "HTTP 10.0.0.7:8080 /a/b?z"),
        ("#f", "HTTP 10.0.0.7:8080 /a/b?q"),
        ("http://10.0.0.7/x", "HTTP 10.0.0.7:80 /x"),
        ("https://10.0.0.7", "HTTPS 10.0.0.7:443 /"),
        ("https://10.0.0.7:8443/x", "HTTPS 10.0.0.7:8443 /x"),
        ("HTTP://10.0.0.7:0081/", "HTTP 10.0.0.7:81 /"),
        ("//10.0.0.7:81/x", "HTTP 10.0.0.7:81 /x"),
        ("http://10.0.0.8/", "answer"),
        ("http://localhost/", "answer"),
        ("http://10.0.0.7./", "answer"),
        ("http://[::ffff:10.0.0.7]/", "answer"),
        ("mailto:x", "answer"),
        ("file:///x", "answer"),
        ("", "answer"),
        ("http://10.0.0.7:99999/", "redirect redirect: no such port: http://10.0.0.7:99999/"),
        ("%zz", "redirect redirect: invalid percent-encoding in URL: %zz"),
        (":foo", "redirect redirect: missing scheme in URL: :foo"),
        ("ftp://10.0.0.7/", "redirect redirect: unknown scheme: ftp://10.0.0.7/"),
    ] {
        assert_eq!(lead(&first, location), leads, "{location}");
    }
}

#[test]
fn only_five_codes_are_followed() {
    for status in 300..400 {
        let follows = matches!(get("/").next(status, Some(b"/x")), Ok(Some(_)));
        assert_eq!(follows, [301, 302, 303, 307, 308].contains(&status), "{status}");
    }
    assert!(matches!(get("/").next(302, None), Ok(None)));
}

#[test]
fn the_tenth_redirect_fails() {
    let last = (0..9).fold(get("/"), |get, _| follow(&get, "/x"));
    assert_eq!(lead(&last, "/x"), "redirect stopped after 10 redirects");
    assert_eq!(lead(&last, "http://other/"), "answer");
}

#[test]
fn what_goes_along_to_the_next_hop() {
    let first = get("/a?b").header("Host", "example.com").header("X-A", "1");
    for (location, host) in [
        ("/x", "example.com"),
        ("//10.0.0.7:81/", "example.com"),
        ("http://10.0.0.7:/", "10.0.0.7"),
    ] {
        let next = follow(&first, location);
        assert_eq!(next.host().escape_ascii().to_string(), host, "{location}");
        assert!(next.headers().contains(&("X-A", b"1".to_vec())), "{location}");
        let referer = ("Referer", b"http://10.0.0.7:8080/a?b".to_vec());
        assert!(next.headers().contains(&referer), "{location}: {:?}", next.headers());
    }
    let https = follow(&first, "https://u:p@10.0.0.7/");
    assert!(https.headers().contains(&("Authorization", b"Basic dTpw".to_vec())));
    let back = follow(&https, "http://10.0.0.7/");
    assert!(back.headers().iter().all(|(name, _)| *name != "Referer"));
}
