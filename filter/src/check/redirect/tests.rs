use super::*;

fn first() -> Hop {
    let url = url::parse(b"http://10.0.0.7:8080/a/b?q").unwrap();
    Hop { authority: url.host.clone(), url, referer: None, followed: 0 }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lead(hop: &Hop, location: &str) -> String {
    match hop.redirect(302, Some(location.as_bytes())) {
        Redirect::NotFollowed => "answer".to_owned(),
        Redirect::Fail(outcome) => format!("{:?} {}", outcome.reason(), outcome.text()),
        Redirect::Follow(hop) => {
            let url = &hop.url;
            let port = hop.port().map_or("none".to_owned(), |port| port.to_string());
            format!("{}:{port}{}", url.scheme, text(&url.request_target()))
        }
    }
}

#[test]
fn locations() {
    for (location, leads) in [
        ("/x", "http:8080/x"),
        ("x?y", "http:8080/a/x?y"),
        ("../x", "http:8080/x"),
        ("?z", "http:8080/a/b?z"),
        ("#f", "http:8080/a/b?q"),
        ("http://10.0.0.7/x", "http:80/x"),
        ("https://10.0.0.7", "https:443/"),
        ("https://10.0.0.7:8443/x", "https:8443/x"),
        ("HTTP://10.0.0.7:0081/", "http:81/"),
        ("//10.0.0.7:81/x", "http:81/x"),
        ("http://u:p@10.0.0.7/", "http:80/"),
        ("http://10.0.0.7:99999/", "http:none/"),
        ("http://10.0.0.8/", "answer"),
        ("http://localhost/", "answer"),
        ("http://10.0.0.7./", "answer"),
        ("http://[::ffff:10.0.0.7]/", "answer"),
        ("mailto:x", "answer"),
        ("file:///x", "answer"),
        ("http:///x", "answer"),
        ("", "answer"),
        ("%zz", "Some(Redirect) redirect: invalid percent-encoding in URL: %zz"),
        (":foo", "Some(Redirect) redirect: missing scheme in URL: :foo"),
        ("http://10.0.0.7:x/", "Some(Redirect) redirect: invalid port in URL: http://10.0.0.7:x/"),
        ("ftp://10.0.0.7/", "Some(Redirect) redirect: unknown scheme: ftp://10.0.0.7/"),
        ("ws://10.0.0.7/", "Some(Redirect) redirect: unknown scheme: ws://10.0.0.7/"),
    ] {
        assert_eq!(lead(&first(), location), leads, "{location}");
    }
}

#[test]
fn only_five_codes_are_followed() {
    for status in 300..400 {
        let follows = matches!(first().redirect(status, Some(b"/x")), Redirect::Follow(_));
        assert_eq!(follows, [301, 302, 303, 307, 308].contains(&status), "{status}");
    }
    assert!(matches!(first().redirect(302, None), Redirect::NotFollowed));
}

#[test]
fn the_tenth_fails() {
    let mut hop = first();
    for _ in 0..9 {
        hop = match hop.redirect(302, Some(b"/x")) {
            Redirect::Follow(hop) => hop,
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(lead(&hop, "/x"), "Some(Redirect) stopped after 9 redirects");
    assert_eq!(lead(&hop, "http://other/"), "answer");
}

#[test]
fn a_host_of_its_own_survives_relative_redirects_only() {
    let hop = Hop { authority: b"example.com".to_vec(), ..first() };
    for (location, host) in
        [("/x", "example.com"), ("//10.0.0.7:81/", "example.com"), ("http://10.0.0.7/", "10.0.0.7")]
    {
        let Redirect::Follow(next) = hop.redirect(302, Some(location.as_bytes())) else { panic!() };
        assert_eq!(text(&next.authority), host, "{location}");
    }
    let Redirect::Follow(next) = first().redirect(302, Some(b"http://10.0.0.7:/x")) else {
        panic!()
    };
    assert_eq!(text(&next.authority), "10.0.0.7");
}

#[test]
fn referers() {
    let https = Hop { url: url::parse(b"https://10.0.0.7/s").unwrap(), ..first() };
    for (from, location, referer) in [
        (first(), "https://10.0.0.7/", Some("http://10.0.0.7:8080/a/b?q")),
        (https.clone(), "/x", Some("https://10.0.0.7/s")),
        (https, "http://10.0.0.7/", None),
    ] {
        let Redirect::Follow(next) = from.redirect(302, Some(location.as_bytes())) else {
            panic!()
        };
        assert_eq!(next.referer.map(|referer| text(&referer)).as_deref(), referer);
    }
}
