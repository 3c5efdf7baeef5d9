//! The head of a client's request: what it may say beside what the check is, and that nothing of it leads elsewhere.

use super::scenario::Oddity;
use crate::host::DownstreamRequest;
use crate::host::callout::{Callout, CalloutRequest};
use crate::host::headers::Headers;
use crate::host::run::UpstreamRequest;
use crate::input::Choices;
use crate::machine::is_of_the_pod;
use app_health_webhook::tcp_check;

/// What neither the verdict nor the destination depends on.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// What follows the path.
    query: Option<Vec<u8>>,
    host: Option<&'static str>,
    headers: Vec<(&'static str, Vec<u8>)>,
}

const HOSTS: [&str; 7] = [
    "10.0.0.7",
    "10.0.0.7:8080",
    "10.0.0.8:15020",
    "[fd00::8]:15020",
    "example.com",
    "localhost:15000",
    "",
];

/// Those that mean something to Envoy, to the filter or on the way, and some other.
const NAMES: [&str; 24] = [
    "x-envoy-original-dst-host",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-max-retries",
    "x-envoy-retry-on",
    "x-envoy-upstream-service-time",
    "x-envoy-internal",
    "x-app-health-forwarded-proto",
    "x-app-health-timeout-ms",
    "x-forwarded-for",
    "x-forwarded-host",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "grpc-timeout",
    "grpc-status",
    "user-agent",
    "accept",
    "authorization",
    "referer",
    "cookie",
    "x",
];

const VALUES: [&str; 12] = [
    "0",
    "1",
    "999",
    "99999999999999999999",
    "10.0.0.8:8080",
    "127.0.0.1:15000",
    "10.0.0.7:15020",
    "trailers",
    "https",
    "close, te, x-forwarded-proto, user-agent, x-app-health-forwarded-proto",
    "http://10.0.0.8:8080/",
    "",
];

pub fn head(choices: &mut Choices) -> Head {
    Head {
        query: (choices.below(4) == 3).then(|| value(choices)),
        host: (choices.below(4) == 3).then(|| choices.one_of(&HOSTS)),
        headers: choices.several(4, |choices| (choices.one_of(&NAMES), value(choices))),
    }
}

/// One of those that mean something, or any bytes that Envoy lets in.
fn value(choices: &mut Choices) -> Vec<u8> {
    if choices.below(3) < 2 {
        return choices.one_of(&VALUES).into();
    }
    let mut value = choices.bytes();
    value.retain(|byte| !byte.is_ascii_control());
    value
}

impl Head {
    pub fn request(&self, path: &str, oddity: Oddity) -> DownstreamRequest {
        let mut target = path.as_bytes().to_vec();
        if let Some(query) = &self.query {
            target.push(b'?');
            target.extend(query);
        }
        let mut request = DownstreamRequest::get(target);
        if let Some(host) = self.host {
            request = request.with(":authority", host);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        match oddity {
            Oddity::None => request,
            Oddity::Head => request.with(":method", "HEAD"),
            Oddity::Post => request.with(":method", "POST"),
            Oddity::Body => request.with_body(),
            Oddity::GrpcContentType => request.header("content-type", "application/grpc"),
            Oddity::Upgrade => request.header("upgrade", "websocket").with_body(),
        }
    }
}

/// What is routed goes to the pod, within the limits that the filter sets.
pub fn is_routed_to_the_pod(request: &UpstreamRequest) {
    assert!(is_of_the_pod(&request.destination), "{request:#?}");
    for (name, value) in of_envoy(&request.headers) {
        let number: Option<u64> = value.parse().ok();
        let is_set = match &*name {
            "x-envoy-upstream-rq-timeout-ms" => number.is_some(),
            // A dial of 250 ms each within two seconds.
            "x-envoy-max-retries" => number.is_some_and(|dials| dials <= 8),
            _ => false,
        };
        assert!(is_set, "{name}: {value} of {request:#?}");
    }
}

/// What is dispatched goes to the pod, or to the agent, which is told the pod's address.
pub fn is_dispatched_to_the_pod(callout: &Callout) {
    let headers = callout.headers();
    let destinations = match callout.cluster.as_str() {
        "app_health_agent" => {
            assert_eq!(
                headers.get(":path"),
                Some(tcp_check::path("10.0.0.7", 8080)),
                "{headers:?}"
            );
            Vec::new()
        }
        _ => vec!["x-envoy-original-dst-host"],
    };
    let of_envoy = of_envoy(headers);
    assert_eq!(of_envoy.iter().map(|(name, _)| name).collect::<Vec<_>>(), destinations);
    let authority = match &callout.request {
        CalloutRequest::Grpc { authority, .. } => Some(authority),
        CalloutRequest::Http { .. } => None,
    };
    for destination in of_envoy.iter().map(|(_, value)| value).chain(authority) {
        assert!(is_of_the_pod(destination), "{callout:#?}");
    }
}

/// The headers that Envoy obeys.
fn of_envoy(headers: &Headers) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let pairs = headers.pairs().iter().filter(|(name, _)| name.starts_with(b"x-envoy-"));
    pairs.map(|(name, value)| (text(name), text(value))).collect()
}
