//! The rules of URLs: a probe's path, and a Location that is resolved against where the app was asked.

use app_health_webhook::url::{Url, UrlError, of_probe_path, parse};

/// A path, and a Location after each line's end.
pub fn target(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == b'\n');
    let path = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let Ok(mut url) = of_probe_path(&path) else { return };
    can_be_sent(&url, path.as_bytes());
    assert_eq!((url.scheme.as_str(), &*url.host), ("", &b""[..]), "the probe says them");
    (url.scheme, url.host) = ("http".to_owned(), b"10.0.0.7:8080".to_vec());
    for location in parts {
        if let Ok(reference) = parse(location) {
            url = url.resolve(&reference);
            if !url.opaque.is_empty() {
                return;
            }
            can_be_sent(&url, location);
            reads_as_it_is(&url);
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let seeds = [
        "/healthz?full=1#x\n/x\n../y?z\n?q\nhttps://10.0.0.7:8443/s%41\n//h/x",
        "//user:p%40w@host/x\nhttp://u:p@[fe80::1%25eth0]:80/\nx/./../..//y",
        "/a%2Fb c\"<>\\^{|}`\n/é?é\n*\n#f\n%41",
        "healthz\nmailto:x\nhttp:///x\nhttp:?\n///x",
    ];
    seeds.into_iter().map(|seed| seed.as_bytes().to_vec()).collect()
}

/// What stands in a request line: one word, as far as its path goes. A query goes as it came.
fn can_be_sent(url: &Url, of: &[u8]) {
    let target = url.request_target();
    let shown = String::from_utf8_lossy(&target).into_owned();
    let of = String::from_utf8_lossy(of);
    assert!(target.starts_with(b"/"), "{shown:?} of {of:?}");
    assert!(!target.iter().any(u8::is_ascii_control), "{shown:?} of {of:?}");
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    assert!(path.iter().all(u8::is_ascii_graphic), "{shown:?} of {of:?}");
    assert!(!target.contains(&b'#'), "{shown:?} of {of:?}");
}

/// A URL, written out, reads as itself.
fn reads_as_it_is(url: &Url) {
    if url.host.is_empty() || url.hostname().contains(&b'%') {
        return;
    }
    let text = [url.scheme.as_bytes(), b"://", &url.host, &url.request_target()].concat();
    let shown = String::from_utf8_lossy(&text);
    let colons = url.host.iter().filter(|byte| **byte == b':').count();
    if colons > 1 && !url.host.starts_with(b"[") && ["http", "https"].contains(&&*url.scheme) {
        // Go takes such a host behind `//` alone, and refuses it behind these schemes.
        assert_eq!(parse(&text), Err(UrlError::Port), "{shown}");
        return;
    }
    let again = parse(&text).unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert_eq!(again.request_target(), url.request_target(), "{shown}");
    assert_eq!(again.host, url.host, "{shown}");
}
