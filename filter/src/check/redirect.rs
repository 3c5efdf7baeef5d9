//! Where a redirect leads, by the rules of Go's client and of the kubelet.

use app_health_webhook::reason::Reason;
use app_health_webhook::url::{self, Url};

use crate::outcome::{Outcome, with_cause};

/// The kubelet follows so many redirects; the next one fails.
const MAX_HOPS: u8 = 9;

/// A request for a URL, as far as a redirect of its answer depends on it.
#[derive(Clone, Debug)]
pub struct Hop {
    pub url: Url,
    /// The Host header.
    pub authority: Vec<u8>,
    pub referer: Option<Vec<u8>>,
    /// How many redirects have led here.
    pub followed: u8,
}

/// Where an answer leads.
#[derive(Debug)]
pub enum Redirect {
    /// Nowhere: its status is the outcome.
    NotFollowed,
    /// To this hop, which is to be asked next.
    Follow(Hop),
    /// Nowhere, which fails the probe: the Location is not valid, or the redirects are too many.
    Fail(Outcome),
}

impl Hop {
    /// Where an answer of this hop leads, by its status and its Location.
    pub fn redirect(&self, status: u16, location: Option<&[u8]>) -> Redirect {
        let location = location.unwrap_or_default();
        if !matches!(status, 301 | 302 | 303 | 307 | 308) || location.is_empty() {
            return Redirect::NotFollowed;
        }
        let reference = match url::parse(location) {
            Ok(reference) => reference,
            Err(error) => return fail(&error.to_string(), location),
        };
        let url = self.url.resolve(&reference);
        if url.hostname() != self.url.hostname() {
            return Redirect::NotFollowed;
        }
        if self.followed >= MAX_HOPS {
            return Redirect::Fail(Outcome::failed(Reason::Redirect, "stopped after 9 redirects"));
        }
        if url.scheme != "http" && url.scheme != "https" {
            return fail("unknown scheme", location);
        }
        // The probe's own Host header is kept as long as the redirects are relative.
        let keeps_host = reference.scheme.is_empty() && self.authority != self.url.host;
        let authority = if keeps_host { self.authority.clone() } else { host_header(&url) };
        let referer = self.referer_to(&url);
        Redirect::Follow(Hop { url, authority, referer, followed: self.followed.saturating_add(1) })
    }

    /// The outcome, which also says which redirect has failed.
    pub fn failed(&self, outcome: Outcome) -> Outcome {
        if self.followed == 0 {
            return outcome;
        }
        let host = String::from_utf8_lossy(&self.url.host);
        outcome.of_trying(&["redirect to ", &self.url.scheme, "://", &host].concat())
    }

    /// The port that the URL names or implies; `None` where that is no port.
    pub fn port(&self) -> Option<u16> {
        match self.url.port() {
            b"" if self.is_https() => Some(443),
            b"" => Some(80),
            digits => std::str::from_utf8(digits).ok()?.parse().ok(),
        }
    }

    pub fn is_https(&self) -> bool {
        self.url.scheme == "https"
    }

    /// The `Referer` for the next hop. Go's client sends none from https to http.
    fn referer_to(&self, next: &Url) -> Option<Vec<u8>> {
        if self.is_https() && next.scheme == "http" {
            return None;
        }
        let mut referer = self.url.scheme.clone().into_bytes();
        referer.extend_from_slice(b"://");
        referer.extend_from_slice(&self.url.host);
        referer.extend_from_slice(&self.url.path);
        if let Some(query) = &self.url.query {
            referer.push(b'?');
            referer.extend_from_slice(query);
        }
        Some(referer)
    }
}

fn host_header(url: &Url) -> Vec<u8> {
    url.host.strip_suffix(b":").unwrap_or(&url.host).to_vec()
}

fn fail(why: &str, location: &[u8]) -> Redirect {
    let what = ["redirect: ", why].concat();
    let text = with_cause(&what, &String::from_utf8_lossy(location));
    Redirect::Fail(Outcome::failed(Reason::Redirect, text))
}

#[cfg(test)]
mod tests;
