//! The status page, `/app-health/`: which of the pod's probes pass, and why others fail. HTML for
//! people, which is one constant text and fetches what it shows, and JSON for programs.
//!
//! Who may see it is the route's affair: the filter answers only where the configuration has that route.

mod json;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cell::Cell;
use std::time::Duration;

use app_health_webhook::url;

use crate::check::Addresses;
use crate::check::step::Facts;
use crate::config::FilterConfig;
use crate::process::Process;
use crate::request::{Headers, SocketAddress};
use json::Status;

/// The page's path: no probe can have it.
const PATH: &[u8] = b"/app-health/";
/// The name of the route that admits nobody but clients on loopback.
const ROUTE: &[u8] = b"status_page";

const HTML: &str = include_str!("page.html");
/// Nothing but the page's own style and script, by their hashes, and what the script fetches.
const POLICY: &str = "default-src 'none'; connect-src 'self'; \
    style-src 'sha256-Om0VdbuN1wu/yysgPnSS9cxNKZbHb/rUdA0y0ylLLkQ='; \
    script-src 'sha256-Eef/NWajIlYAb61N9HNpfYaPgRdygJcXTdxSoZWX4CM='; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The answer to a request for the page.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: Cow<'static, str>,
}

/// Whether this is a request for the page, by a client that may see it.
pub fn is_asked(client: &Headers, route: impl FnOnce() -> Vec<u8>) -> bool {
    let after_path = client.get(":path").and_then(|target| target.strip_prefix(PATH));
    matches!(after_path, Some([] | [b'?', ..])) && route() == ROUTE
}

/// How long a JSON is kept for whoever asks next. To write that of 200 probes takes 1.5 ms, and a client
/// that asks without pause would take the time from probes.
const KEPT: Duration = Duration::from_millis(250);

/// The JSON that was written last, but for what depends on the request.
#[derive(Default)]
pub struct Kept(Cell<Option<(Duration, String)>>);

/// The page's JSON. `variable` is the one that the configuration was read from: the filter keeps none.
pub fn json(
    config: &FilterConfig,
    variable: impl FnOnce() -> Vec<u8>,
    facts: &dyn Facts,
    process: &dyn Process,
) -> String {
    let now = facts.now();
    let last = config.page.0.take().filter(|(at, _)| now.saturating_sub(*at) < KEPT);
    let last = last.unwrap_or_else(|| {
        let variable = &variable();
        (now, Status { config, variable, now, process }.json())
    });
    let json = json::of_request(&Addresses::new(config, facts).ok(), config, &last.1);
    config.page.0.set(Some(last));
    json
}

/// Answers a request for the page. `json` writes its JSON.
pub fn answer(client: &Headers, json: impl FnOnce() -> String) -> Reply {
    let mut headers = vec![
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ];
    let is_json = client.get("accept").is_some_and(|accept| contains(accept, b"application/json"));
    let (status, kind, body) = match client.get(":method") {
        _ if !is_local(client.get(":authority").unwrap_or_default()) => {
            (403, "text/plain", "ask for the status page at an IP address or at localhost\n".into())
        }
        Some(b"GET" | b"HEAD") if is_json => (200, "application/json", json().into()),
        Some(b"GET" | b"HEAD") => (200, "text/html; charset=utf-8", HTML.into()),
        _ => {
            headers.push(("allow", "GET, HEAD"));
            (405, "text/plain", "the status page takes GET and HEAD\n".into())
        }
    };
    headers.push(("content-type", kind));
    Reply { status, headers, body }
}

/// Whether a Host is none that a web page's author could have another web server's name lead to, by DNS.
fn is_local(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let host = SocketAddress::parse(host).map_or(host.to_owned(), |address| address.ip);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    url::is_ip(host) || host.eq_ignore_ascii_case("localhost")
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}
