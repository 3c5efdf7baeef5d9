//! References of images: `[host[:port]/]path[:tag][@digest]`.

/// A reference, or nothing at all.
///
/// # Errors
/// It is no reference: a container runtime would find out in every pod.
pub fn parse(text: &str) -> Result<String, &'static str> {
    if text.is_empty() || is_reference(text) {
        return Ok(text.to_owned());
    }
    Err("no reference of an image, as in registry.example.org:5000/mesh/app-health-agent:0.1.0")
}

fn is_reference(text: &str) -> bool {
    let (text, digest) = split(text, '@');
    // A colon before a slash is a port's.
    let (name, tag) = match text.rfind(':').filter(|at| !text[*at..].contains('/')) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    is_name(name) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest)
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// What comes before the first slash is a host where it looks like one.
fn is_name(name: &str) -> bool {
    let path = match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':', '[']) || host == "localhost" => {
            if !is_host(host) {
                return false;
            }
            path
        }
        _ => name,
    };
    name.len() <= 255 && path.split('/').all(is_component)
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let Some((address, port)) = rest.split_once(']') else { return false };
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            return port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        }
        None => split(host, ':'),
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
    };
    name.split('.').all(label) && port.is_none_or(is_port)
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

/// Lower-case letters and digits, between them a dot, one or two underscores, or hyphens.
fn is_component(text: &str) -> bool {
    let is_separator = |c: char| matches!(c, '.' | '_' | '-');
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || is_separator(c);
    let separators = text.split(|c| !is_separator(c)).filter(|between| !between.is_empty());
    !text.is_empty()
        && text.chars().all(known)
        && !text.starts_with(is_separator)
        && !text.ends_with(is_separator)
        && separators
            .into_iter()
            .all(|it| matches!(it, "." | "_" | "__") || !it.contains(['.', '_']))
}

fn is_tag(tag: &str) -> bool {
    let known = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-');
    (1..=128).contains(&tag.len()) && tag.bytes().all(known) && !tag.starts_with(['.', '-'])
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hash)) = digest.split_once(':') else { return false };
    let length = match algorithm {
        "sha256" => 64,
        "sha512" => 128,
        _ => return false,
    };
    hash.len() == length && hash.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_of_the_usual_grammar() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for text in [
            "",
            "agent",
            "agent:1",
            "mesh/app-health-agent:0.1.0",
            "localhost/a",
            "localhost:5000/a/b__c/d--e.f:V_1.2-x",
            "Registry.example.org:443/a",
            "10.0.0.7:5000/a",
            "[::1]:5000/a",
            "[fd00::1]/a",
            &format!("a@{digest}"),
            &format!("r.example/a:1@{digest}"),
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
        for text in [
            "UPPER/!!:::x",
            "Agent",
            "an image",
            "a\n",
            "a:",
            ":1",
            "/a",
            "a/",
            "a//b",
            "-a",
            "a_",
            "a..b",
            "a___b",
            "a._b",
            "a:-1",
            "a:b:c",
            "r.example:/a",
            "r.example:99999/a",
            "r..example/a",
            "-r.example/a",
            "[::g]/a",
            "[::1/a",
            "[::1]5000/a",
            "https://r.example/a",
            "a@sha256:0a",
            "a@",
            &format!("a@{digest}@{digest}"),
            &format!("a@md5:{}", "0a".repeat(32)),
            &format!("a:{}", "1".repeat(129)),
            &"a".repeat(256),
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
