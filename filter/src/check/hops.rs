//! The dispatched hops of an `httpGet`: the later ones, and the first where Envoy's router may not carry
//! it.

use std::time::Duration;

use app_health_webhook::reason::Reason;

use super::call_response::{is_from_upstream, response_text};
use super::probe_request::ProbeRequest;
use super::redirect::{Hop, Redirect};
use super::step::{Facts, HttpCall, Source};
use crate::outcome::{self, DIAL_TIMED_OUT, Outcome};
use crate::request::{self, RequestHead};
use crate::table::Wire;

const DESTINATION_HEADER: &str = "x-envoy-original-dst-host";

/// What follows from the answer of a hop.
pub enum HopAnswer {
    /// `connect_timeout` ended the dial, and there is time for another.
    DialTimedOut,
    /// The answer leads to this hop.
    Redirect(Hop),
    /// The check ends with this outcome.
    Final(Outcome),
}

/// The call for a hop. It carries the client's Authorization if `authorized`; `first` is the protocol of
/// the first hop.
///
/// # Errors
/// The outcome of the check, where the hop must not be asked (no such port, the status port, HTTP/2 to
/// TLS), no time is left, or too many calls of the hook are under way.
pub fn call(
    hop: &Hop,
    authorized: bool,
    first: Wire,
    probe: &ProbeRequest,
    now: Duration,
) -> Result<HttpCall, Outcome> {
    let wire = wire(hop, first)?;
    let port = hop.port().filter(|port| *port != 0);
    let port = port.ok_or_else(|| Outcome::failed(Reason::Redirect, "redirect: no such port"))?;
    if probe.is_own_port(port) {
        let text = "redirect to the status port: it would probe itself";
        return Err(Outcome::failed(Reason::Redirect, text));
    }
    let settings = &probe.config.settings;
    let cluster = match wire {
        Wire::Http => &settings.http_cluster,
        Wire::Http2 => &settings.grpc_cluster,
        Wire::Https => &settings.https_cluster,
    };
    Ok(HttpCall {
        cluster: cluster.clone(),
        headers: headers(hop, authorized, wire, probe, probe.pod.at(port)),
        timeout: probe.begin_call(now)?,
    })
}

/// The headers for a hop. The crate proxy-wasm sends only UTF-8, so that a URL which is none is
/// percent-encoded, and any other header is left out
/// (https://github.com/proxy-wasm/proxy-wasm-rust-sdk/issues/26).
fn headers(
    hop: &Hop,
    authorized: bool,
    wire: Wire,
    probe: &ProbeRequest,
    destination: String,
) -> Vec<(String, String)> {
    let target = as_text(&hop.url.request_target()).into_bytes();
    let referer = hop.referer.as_deref().map(as_text);
    let authorization = request::basic_authorization(&hop.url).filter(|_| authorized);
    let line = RequestHead {
        target: &target,
        authority: &hop.authority,
        wire,
        authorization: authorization.as_deref(),
    };
    let own_referer = probe.client.get("referer").is_some_and(|referer| !referer.is_empty());
    let mut sent = line.headers(&probe.client);
    sent.retain(|(name, _)| match *name {
        "authorization" => authorized,
        "referer" => own_referer,
        _ => true,
    });
    sent.push((DESTINATION_HEADER, destination.as_bytes()));
    if let Some(referer) = referer.as_ref().filter(|_| !own_referer) {
        sent.push(("referer", referer.as_bytes()));
    }
    let text = |(name, value): (&str, &[u8])| {
        Some((name.to_owned(), std::str::from_utf8(value).ok()?.to_owned()))
    };
    sent.into_iter().filter_map(text).collect()
}

/// The text of a URL. If it is not UTF-8, all that is not ASCII is percent-encoded.
fn as_text(url: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(url) {
        return text.to_owned();
    }
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0').to_ascii_uppercase();
    let mut text = String::new();
    for byte in url {
        match byte {
            0..0x80 => text.push(char::from(*byte)),
            _ => text.extend(['%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
    text
}

/// The protocol for a hop.
///
/// # Errors
/// An HTTP2 probe is redirected to TLS: the kubelet's client for HTTP/2 in clear text verifies
/// certificates there, and no pod's would pass.
fn wire(hop: &Hop, first: Wire) -> Result<Wire, Outcome> {
    match (first == Wire::Http2, hop.is_https()) {
        (true, true) => {
            let text = "redirect from HTTP/2 in clear text to TLS";
            Err(Outcome::failed(Reason::Redirect, text))
        }
        (true, false) => Ok(Wire::Http2),
        (false, true) => Ok(Wire::Https),
        (false, false) => Ok(Wire::Http),
    }
}

/// The outcome where Envoy has not accepted the call.
pub fn not_sent(hop: &Hop) -> Outcome {
    hop.failed(Outcome::failed(Reason::Proxy, "the request cannot be sent"))
}

pub fn answered(hop: &Hop, has_head: bool, probe: &ProbeRequest, facts: &dyn Facts) -> HopAnswer {
    if !has_head {
        return HopAnswer::Final(hop.failed(broken(probe, facts)));
    }
    let status = facts.header(Source::Dispatched, ":status").unwrap_or_default();
    if !is_from_upstream(facts) {
        let text = response_text(facts);
        if outcome::contains(&text, DIAL_TIMED_OUT) && probe.may_dial_again(facts.now()) {
            return HopAnswer::DialTimedOut;
        }
        return HopAnswer::Final(hop.failed(outcome::of_call_failure(&status, &text)));
    }
    let outcome = outcome::of_status(&status, probe.is_hook());
    let Outcome::Answered(status) = outcome else { return HopAnswer::Final(hop.failed(outcome)) };
    let location = facts.header(Source::Dispatched, "location");
    match hop.redirect(status, location.as_deref()) {
        Redirect::Follow(next) => HopAnswer::Redirect(next),
        Redirect::Fail(failure) => HopAnswer::Final(failure),
        Redirect::NotFollowed => HopAnswer::Final(outcome),
    }
}

/// The outcome where an answer began and did not end: it timed out, broke off or was too long.
fn broken(probe: &ProbeRequest, facts: &dyn Facts) -> Outcome {
    if probe.is_hook() {
        Outcome::Answered(200)
    } else if probe.is_over(facts.now()) {
        Outcome::timeout()
    } else {
        let text = "the app's answer broke off, or was longer than Envoy buffers";
        Outcome::failed(Reason::Broken, text)
    }
}
