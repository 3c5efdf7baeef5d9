//! The check as the pure state machine that it is, natively: any request, then any events in any order, more than Envoy
//! would send, each with any facts.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::check::Check;
use crate::check::step::{Command, Event, Facts, Source};
use crate::config::FilterConfig;
use crate::input::Choices;
use crate::no_process::NoProcess;
use crate::request::Headers;
use crate::table::{Lookup, Table};

const VARIABLE: &str = r#"{
    "/app-health/http/readyz": {"httpGet": {"port": 8080, "path": "/x"}, "timeoutSeconds": 3},
    "/app-health/http2/readyz": {"httpGet": {"port": 8080, "protocol": "HTTP2"}},
    "/app-health/https/readyz": {"httpGet": {"port": 8080, "scheme": "HTTPS", "path": "//u:p@h/?q"}},
    "/app-health/tcp/readyz": {"tcpSocket": {"port": 8080}, "timeoutSeconds": 3},
    "/app-health/grpc/readyz": {"grpc": {"port": 8080}, "timeoutSeconds": 3},
    "/app-lifecycle/http/prestopz": {"httpGet": {"port": 8080, "scheme": "HTTPS"}},
    "/app-lifecycle/tcp/prestopz": {"tcpSocket": {"port": 8080}},
    "/app-health/itself/readyz": {"httpGet": {"port": 15020}},
    "/app-health/unsendable/readyz": {"httpGet": {"port": 8080, "path": "mailto:x"}},
    "/app-health/invalid/readyz": {}
}"#;

const PATHS: [&str; 11] = [
    "/app-health/http/readyz",
    "/app-health/http2/readyz",
    "/app-health/https/readyz",
    "/app-health/tcp/readyz",
    "/app-health/grpc/readyz",
    "/app-lifecycle/http/prestopz",
    "/app-lifecycle/tcp/prestopz",
    "/app-health/itself/readyz?x",
    "/app-health/unsendable/readyz",
    "/app-health/invalid/readyz",
    "/other",
];

const DETAILS: [&str; 9] = [
    "via_upstream",
    "via_upstream",
    "",
    "response_timeout",
    "request_overall_timeout",
    "upstream_reset_after_response_started{connection_termination}",
    "upstream_reset_before_response_started{connection_timeout}",
    "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
    "upstream_reset_before_response_started{remote_connection_failure|TLS_error:|1:WRONG_VERSION_NUMBER:TLS_error_end}",
];

/// What Envoy appends to a gRPC status, and what it says of a call.
const TEXTS: [&str; 5] = [
    "",
    "x{via_upstream}",
    "x{upstream_reset_before_response_started{connection_timeout}}",
    "x{upstream_reset_before_response_started{connection_termination}}",
    "reset reason: connection timeout",
];

const LOCATIONS: [&str; 8] = [
    "/x",
    "?y",
    "http://10.0.0.7:81/",
    "https://10.0.0.7/",
    "http://10.0.0.8/",
    "http://10.0.0.7:15020/",
    ":",
    "ws://10.0.0.7/",
];

/// What Envoy would tell, for one event.
#[derive(Debug, Default)]
struct Given {
    status: Vec<u8>,
    details: &'static str,
    text: Vec<u8>,
    location: Option<Vec<u8>>,
    length: Option<&'static str>,
    of_upstream: bool,
    now: Duration,
    sent: u16,
    destination: &'static str,
    /// Which headers can be read now: to read others would trap the VM.
    readable: Cell<Option<Source>>,
}

impl Facts for Given {
    fn now(&self) -> Duration {
        self.now
    }

    fn destination(&self) -> Vec<u8> {
        self.destination.into()
    }

    fn header(&self, source: Source, name: &str) -> Option<Vec<u8>> {
        assert_eq!(self.readable.get(), Some(source), "{name} cannot be read now");
        match name {
            ":status" => Some(self.status.clone()),
            "location" => self.location.clone(),
            "content-length" => self.length.map(Into::into),
            "x-envoy-upstream-service-time" => self.of_upstream.then(|| b"1".to_vec()),
            "grpc-message" => Some(self.text.clone()),
            _ => None,
        }
    }

    fn call_body(&self) -> Vec<u8> {
        assert_eq!(self.readable.get(), Some(Source::Dispatched), "there is no body of a call");
        self.text.clone()
    }

    fn details(&self) -> Vec<u8> {
        self.details.into()
    }

    fn sent_status(&self) -> u16 {
        self.sent
    }
}

pub fn target(data: &[u8]) {
    let (table, _) = Table::new(VARIABLE.as_bytes());
    let config = Rc::new(FilterConfig { table, ..FilterConfig::default() });
    let mut choices = Choices::new(data);
    let path = choices.one_of(&PATHS);
    let mut run = Run {
        check: Check::new(config.clone()),
        now: Duration::ZERO,
        answers: 0,
        cut_off: 0,
        seen: Vec::new(),
    };
    run.on(request(&mut choices, path), &mut choices);
    let events = choices.several(24, event);
    for event in events {
        run.on(event, &mut choices);
    }
    let given = run.given(&mut choices);
    run.check.report(&given, &NoProcess);
    drop(run);
    nothing_is_under_way(&config, path);
}

struct Run {
    check: Check,
    now: Duration,
    answers: u32,
    /// How often a call that was cut off was made anew.
    cut_off: u32,
    seen: Vec<String>,
}

impl Run {
    fn on(&mut self, event: Event, choices: &mut Choices) {
        let given = self.given(choices);
        given.readable.set(match event {
            Event::ResponseHeaders { .. } => Some(Source::Routed),
            Event::CallResponse { has_head: true } => Some(Source::Dispatched),
            _ => None,
        });
        let is_cut_off =
            matches!(&event, Event::GrpcCallResponse { code: 13, message } if message.is_empty());
        self.seen.push(format!("{event:?} with {given:?}"));
        let was_under_way = self.check.is_under_way();
        let command = self.check.on(event, &given);
        let is_under_way = self.check.is_under_way();
        let seen = || format!("{command:?} after {:#?}", self.seen);
        match &command {
            Command::LocalReply { status, .. } => {
                self.answers += 1;
                assert!((200..600).contains(status), "{}", seen());
                assert!(!is_under_way, "{}", seen());
            }
            Command::Close => {
                self.answers += 1;
                assert!(!is_under_way, "{}", seen());
            }
            Command::SetDestination { destination, .. } => {
                assert!(is_of_the_pod(destination), "{}", seen());
            }
            Command::GrpcCall(call) => {
                assert!(is_of_the_pod(&call.destination), "{}", seen());
                self.cut_off += u32::from(is_cut_off);
                assert!(self.cut_off <= 1, "made anew twice: {}", seen());
            }
            Command::HttpCall(call) => {
                let destination =
                    call.headers.iter().find(|(name, _)| name == "x-envoy-original-dst-host");
                if let Some((_, destination)) = destination {
                    assert!(is_of_the_pod(destination), "{}", seen());
                }
            }
            Command::Route(_) => assert!(is_under_way, "{}", seen()),
            Command::HoldResponse(status) => {
                assert!(was_under_way && (200..600).contains(status), "{}", seen());
            }
            Command::RestoreStatus(_) => assert_eq!(self.answers, 1, "{}", seen()),
            Command::Continue | Command::Pause => {}
        }
        assert!(self.answers <= 1, "answered twice: {}", seen());
    }

    /// What Envoy tells now. Time goes on.
    fn given(&mut self, choices: &mut Choices) -> Given {
        self.now +=
            Duration::from_millis(choices.one_of(&[0, 0, 1, 250, 996, 1000, 4000, 130_000]));
        let status = match choices.below(4) {
            0 => choices.one_of(&["200", "302", "503", "307", "504", "", "101", "999", "x"]).into(),
            1 => (200 + choices.below(400)).to_string().into_bytes(),
            2 => b"302".to_vec(),
            _ => b"200".to_vec(),
        };
        let location = match choices.below(4) {
            0 => None,
            1 => Some(choices.text().into_bytes()),
            _ => Some(choices.one_of(&LOCATIONS).into()),
        };
        Given {
            status,
            location,
            details: choices.one_of(&DETAILS),
            text: choices.one_of(&TEXTS).into(),
            length: choices.one_of(&[
                None,
                None,
                Some("2048"),
                Some("2049"),
                Some("99999"),
                Some("x"),
            ]),
            of_upstream: choices.below(3) > 0,
            now: self.now,
            sent: choices.one_of(&[0, 200, 408, 502, 504]),
            destination: "10.0.0.7:15020",
            readable: Cell::default(),
        }
    }
}

/// Never to the listener itself, and never to another host.
pub fn is_of_the_pod(destination: &str) -> bool {
    let port = destination.strip_prefix("10.0.0.7:").and_then(|port| port.parse::<u16>().ok());
    port.is_some_and(|port| port != 15020 && port != 0)
}

fn request(choices: &mut Choices, path: &str) -> Event {
    let known = [
        "upgrade",
        "content-length",
        "connection",
        "referer",
        "authorization",
        "x-envoy-max-retries",
        "te",
    ];
    let mut headers = vec![
        (":method".to_owned(), choices.one_of(&["GET", "GET", "GET", "HEAD", "POST", ""]).into()),
        (":path".to_owned(), path.as_bytes().to_vec()),
        (":authority".to_owned(), choices.one_of(&["10.0.0.7:15020", "example.com", ""]).into()),
    ];
    if choices.below(3) == 2 {
        headers.push(("content-type".to_owned(), b"application/grpc+proto".to_vec()));
    }
    headers.extend(choices.several(3, |it| (it.one_of(&known).to_owned(), it.text().into_bytes())));
    Event::RequestHeaders { headers: Headers::new(headers), has_body: choices.below(8) == 7 }
}

fn event(choices: &mut Choices) -> Event {
    match choices.below(11) {
        0 | 1 => Event::Accepted(choices.below(4) > 0),
        2 => Event::RequestBody,
        3 | 4 => Event::ResponseHeaders { ends: choices.below(2) == 0 },
        5 => Event::ResponseBody {
            size: choices.one_of(&[0, 1, 2048, 10_240, usize::MAX]),
            ends: choices.below(2) == 0,
        },
        6 => Event::ResponseTrailers,
        7 => Event::CallResponse { has_head: choices.below(4) > 0 },
        8 => Event::CallResponse { has_head: true },
        // Envoy has cut off the call.
        9 => Event::GrpcCallResponse { code: 13, message: Vec::new() },
        _ => Event::GrpcCallResponse {
            code: choices.one_of(&[0, 14, 4, 12, u32::MAX, 13]),
            message: choices
                .one_of(&[
                    &b"\x08\x01"[..],
                    TEXTS[1].as_bytes(),
                    TEXTS[2].as_bytes(),
                    TEXTS[3].as_bytes(),
                    b"",
                ])
                .to_vec(),
        },
    }
}

/// A hook may have sixteen runs under way: they are all free.
fn nothing_is_under_way(config: &FilterConfig, path: &str) {
    let path = path.split('?').next().unwrap_or_default();
    if let Lookup::Found(entry) = config.table.lookup(path.as_bytes()) {
        (0..16).for_each(|_| entry.runs.begin());
        assert!(!entry.runs.are_too_many(), "{path}: counted as under way");
    }
}
