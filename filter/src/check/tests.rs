//! Checks without Envoy: some whole ones, and every order of a few events.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::no_process::NoProcess;
use super::step::Source;
use super::*;
use crate::request::Headers;
use crate::settings::Settings;
use crate::table::Table;

const VARIABLE: &str = r#"{
    "/app-health/http/readyz": {"httpGet": {"port": 8080, "path": "/x"}, "timeoutSeconds": 3},
    "/app-health/http2/readyz": {"httpGet": {"port": 8080, "protocol": "HTTP2"}},
    "/app-health/tcp/readyz": {"tcpSocket": {"port": 8080}},
    "/app-health/grpc/readyz": {"grpc": {"port": 8080}, "timeoutSeconds": 3},
    "/app-lifecycle/hook/prestopz": {"httpGet": {"port": 8080, "scheme": "HTTPS"}},
    "/app-lifecycle/tcp/prestopz": {"tcpSocket": {"port": 8080}},
    "/app-health/itself/readyz": {"httpGet": {"port": 15020}},
    "/app-health/invalid/readyz": {}
}"#;
const PATHS: [&str; 9] = [
    "/app-health/http/readyz",
    "/app-health/http2/readyz",
    "/app-health/tcp/readyz",
    "/app-health/grpc/readyz",
    "/app-lifecycle/hook/prestopz",
    "/app-lifecycle/tcp/prestopz",
    "/app-health/itself/readyz",
    "/app-health/invalid/readyz",
    "/other",
];
const CLOSED: &str = "reset{upstream_reset_before_response_started{connection_termination}}";
const NO_TLS: &str = "upstream_reset_before_response_started{remote_connection_failure|TLS_error:\
    _|33554536:system_library:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end}";

/// The facts that Envoy would give.
#[derive(Clone, Default)]
struct Given {
    status: &'static str,
    details: &'static str,
    location: Option<&'static str>,
    /// Whether the response to a call is the upstream's own.
    of_upstream: bool,
    milliseconds: Cell<u64>,
    sent: u16,
    /// Which headers can be read now: to read others would trap the VM.
    readable: Cell<Option<Source>>,
}

impl Given {
    fn app(status: &'static str) -> Self {
        Self { status, details: "via_upstream", of_upstream: true, ..Self::default() }
    }

    fn leads_to(location: &'static str) -> Self {
        Self { location: Some(location), ..Self::app("302") }
    }

    fn envoy(status: &'static str, details: &'static str) -> Self {
        Self { status, details, ..Self::default() }
    }
}

/// Gives a check an event, and lets it read only what Envoy would show then.
fn tell(check: &mut Check, event: Event, given: &Given) -> Command {
    given.readable.set(match event {
        Event::ResponseHeaders { .. } => Some(Source::Routed),
        Event::CallResponse { has_head: true } => Some(Source::Dispatched),
        _ => None,
    });
    check.on(event, given)
}

impl Facts for Given {
    fn now(&self) -> Duration {
        Duration::from_millis(self.milliseconds.get())
    }

    fn destination(&self) -> Vec<u8> {
        b"10.0.0.7:15020".to_vec()
    }

    fn header(&self, source: Source, name: &str) -> Option<Vec<u8>> {
        assert_eq!(self.readable.get(), Some(source), "{name}");
        match name {
            ":status" => Some(self.status.into()),
            "location" => self.location.map(Into::into),
            "x-envoy-upstream-service-time" => self.of_upstream.then(|| b"1".to_vec()),
            _ => None,
        }
    }

    fn call_body(&self) -> Vec<u8> {
        assert_eq!(self.readable.get(), Some(Source::Dispatched));
        self.details.into()
    }

    fn details(&self) -> Vec<u8> {
        self.details.into()
    }

    fn sent_status(&self) -> u16 {
        self.sent
    }
}

fn config() -> Rc<FilterConfig> {
    let (table, notes) = Table::new(VARIABLE.as_bytes());
    assert_eq!(notes.len(), 1, "{notes:?}");
    Rc::new(FilterConfig { table, settings: Settings::default(), ..FilterConfig::default() })
}

fn request(path: &str, content_type: Option<&str>) -> Event {
    let mut headers = vec![
        (":method".to_owned(), b"GET".to_vec()),
        (":path".to_owned(), path.as_bytes().to_vec()),
        (":authority".to_owned(), b"10.0.0.7:15020".to_vec()),
    ];
    headers.extend(content_type.map(|value| ("content-type".to_owned(), value.into())));
    Event::RequestHeaders { headers: Headers::new(headers), has_body: false }
}

fn called() -> Event {
    Event::CallResponse { has_head: true }
}

fn grpc_called(code: u32, message: &[u8]) -> Event {
    Event::GrpcCallResponse { code, message: message.to_vec() }
}

/// A command as text, with what the tests look at.
fn text(command: &Command) -> String {
    match command {
        Command::Continue => "continue".to_owned(),
        Command::Pause => "pause".to_owned(),
        Command::SetDestination { route, destination, .. } => format!("name {route} {destination}"),
        Command::Route(_) => "route".to_owned(),
        Command::HttpCall(call) => {
            let value = |name| call.headers.iter().find(|(n, _)| n == name).map(|(_, v)| &**v);
            let destination = value("x-envoy-original-dst-host").unwrap_or("the agent");
            format!("call {} {destination}", call.cluster)
        }
        Command::GrpcCall(call) => format!("grpc {}", call.destination),
        Command::HoldResponse(status) => format!("hold {status}"),
        Command::RestoreStatus(status) => format!("restore {status}"),
        Command::LocalReply { status, .. } => format!("reply {status}"),
        Command::Close => "close".to_owned(),
    }
}

/// The commands for a request and the events that follow it.
fn run(path: &str, content_type: Option<&str>, events: Vec<(Event, Given)>) -> Vec<String> {
    let mut check = Check::new(config());
    let first = check.on(request(path, content_type), &Given::default());
    let rest = events.into_iter().map(|(event, given)| text(&tell(&mut check, event, &given)));
    [text(&first)].into_iter().chain(rest.collect::<Vec<_>>()).collect()
}

#[test]
fn an_answer_with_a_body() {
    let app = || Given::app("204");
    let events = vec![
        (Event::Accepted(true), app()),
        (Event::ResponseHeaders { ends: false }, app()),
        (Event::ResponseBody { size: 5, ends: false }, app()),
        (Event::ResponseBody { size: 0, ends: true }, app()),
    ];
    let commands = ["name http 10.0.0.7:8080", "route", "hold 204", "pause", "continue"];
    assert_eq!(run("/app-health/http/readyz", None, events), commands);
}

#[test]
fn a_redirect() {
    let events = vec![
        (Event::Accepted(true), Given::default()),
        (Event::ResponseHeaders { ends: false }, Given::leads_to("//10.0.0.7:81/y")),
        (Event::ResponseBody { size: 5, ends: true }, Given::default()),
        (Event::Accepted(true), Given::default()),
        (called(), Given::app("503")),
        (Event::ResponseHeaders { ends: false }, Given::default()),
    ];
    let commands = [
        "name http 10.0.0.7:8080",
        "route",
        "pause",
        "call app_http_hop 10.0.0.7:81",
        "pause",
        "reply 503",
        "continue",
    ];
    assert_eq!(run("/app-health/http/readyz", None, events), commands);
}

#[test]
fn a_hook_over_https_that_meets_plain_http() {
    let events = vec![
        (Event::Accepted(true), Given::default()),
        (Event::ResponseHeaders { ends: false }, Given::envoy("503", NO_TLS)),
        (Event::Accepted(true), Given::default()),
        (called(), Given::envoy("503", "reset reason: connection timeout")),
        (Event::Accepted(false), Given::default()),
    ];
    let commands = [
        "name https 10.0.0.7:8080",
        "route",
        "call app_http_hop 10.0.0.7:8080",
        "pause",
        "call app_http_hop 10.0.0.7:8080",
        "close",
    ];
    assert_eq!(run("/app-lifecycle/hook/prestopz", None, events), commands);
}

#[test]
fn a_tcp_check_where_the_agent_is_not_there() {
    for lost in [
        vec![(Event::Accepted(false), Given::default())],
        vec![(Event::Accepted(true), Given::default()), (called(), Given::envoy("503", "refused"))],
    ] {
        let asked = lost.len();
        let mut events = vec![(Event::Accepted(true), Given::default())];
        events.extend(lost);
        events.push((Event::ResponseHeaders { ends: true }, Given::app("200")));
        let commands = run("/app-health/tcp/readyz", None, events);
        let first = ["name tcp 10.0.0.7:8080", "call app_health_agent the agent"];
        assert_eq!(commands[..2], first);
        assert_eq!(commands[asked + 1..], ["route", "reply 200"]);
    }
}

#[test]
fn a_grpc_connection_that_the_app_closes_is_made_anew() {
    let closed = || (grpc_called(14, CLOSED.as_bytes()), Given::default());
    let taken = || (Event::Accepted(true), Given::default());
    let events = vec![taken(), closed(), taken(), closed(), taken(), closed()];
    let grpc = "grpc 10.0.0.7:8080";
    let commands = [grpc, "pause", grpc, "pause", grpc, "pause", "reply 500"];
    assert_eq!(run("/app-health/grpc/readyz", None, events), commands);
    let events = vec![taken(), (grpc_called(0, b"\x08\x01"), Given::default())];
    let commands = [grpc, "pause", "reply 200"];
    assert_eq!(run("/app-health/grpc/readyz", None, events), commands);
}

#[test]
fn a_grpc_content_type_is_dispatched_and_its_status_restored() {
    let events = vec![
        (Event::Accepted(true), Given::default()),
        (called(), Given::app("404")),
        (Event::ResponseHeaders { ends: false }, Given::default()),
    ];
    let commands = ["call app_http_hop 10.0.0.7:8080", "pause", "reply 404", "restore 404"];
    let typed = Some("application/grpc");
    assert_eq!(run("/app-health/http/readyz", typed, events), commands);
    let events = vec![(Event::ResponseHeaders { ends: true }, Given::default())];
    assert_eq!(run("/app-health/none/readyz", typed, events), ["reply 400", "restore 400"]);
}

/// A limit of the listener's has such a reply: its body is not the app's.
#[test]
fn envoys_own_answer_while_a_call_is_awaited_passes() {
    for (path, typed) in [
        ("/app-health/http/readyz", Some("application/grpc")),
        ("/app-health/tcp/readyz", Some("application/grpc")),
        ("/app-health/grpc/readyz", None),
    ] {
        let given = Given { sent: 408, ..Given::envoy("408", "request_overall_timeout") };
        let mut check = Check::new(config());
        tell(&mut check, request(path, typed), &given);
        tell(&mut check, Event::Accepted(true), &given);
        assert!(check.is_under_way());
        let head = tell(&mut check, Event::ResponseHeaders { ends: false }, &given);
        assert!(matches!(head, Command::Continue), "{path}: {head:?}");
        assert!(!check.is_under_way(), "{path}: its body is taken out");
        let late = tell(&mut check, called(), &given);
        assert!(matches!(late, Command::Pause), "{path}: {late:?}");
        check.report(&given, &NoProcess);
        assert_eq!(check.outcome, Some(Outcome::Abandoned), "{path}");
    }
}

/// The kubelet is gone just before Envoy's time is over: it counts from its dial on.
#[test]
fn a_client_that_waited_for_its_time_has_not_abandoned_the_check() {
    let timeout = |reason, text: &str| Outcome::failed(reason, text.to_owned());
    let late = "10.0.0.7:8080: not done within the probe's timeout";
    for (path, after, expected) in [
        ("/app-health/http/readyz", 2700, timeout(Reason::Timeout, &["http ", late].concat())),
        ("/app-health/http/readyz", 2699, Outcome::Abandoned),
        ("/app-health/grpc/readyz", 2990, timeout(Reason::Timeout, &["grpc ", late].concat())),
        (
            "/app-health/tcp/readyz",
            999,
            timeout(Reason::Agent, "tcp 10.0.0.7:8080: the agent did not answer in time"),
        ),
        ("/app-health/tcp/readyz", 500, Outcome::Abandoned),
        ("/app-lifecycle/hook/prestopz", 900_000, Outcome::Abandoned),
    ] {
        let given = Given::envoy("", "downstream_remote_disconnect");
        let mut check = Check::new(config());
        tell(&mut check, request(path, None), &given);
        tell(&mut check, Event::Accepted(true), &given);
        given.milliseconds.set(after);
        check.report(&given, &NoProcess);
        assert_eq!(check.outcome, Some(expected), "{path} after {after} ms");
    }
}

/// The events after a request, for any order of them, which are more than Envoy would send.
fn events() -> Vec<Event> {
    vec![
        Event::RequestBody,
        Event::Accepted(true),
        Event::Accepted(false),
        Event::ResponseHeaders { ends: false },
        Event::ResponseHeaders { ends: true },
        Event::ResponseBody { size: 6000, ends: false },
        Event::ResponseBody { size: 0, ends: true },
        Event::ResponseTrailers,
        Event::CallResponse { has_head: true },
        Event::CallResponse { has_head: false },
        grpc_called(0, b"\x08\x01"),
        grpc_called(14, CLOSED.as_bytes()),
    ]
}

/// A check in one order of events.
struct Run<'a> {
    check: Check,
    given: &'a Given,
    answers: u32,
    seen: RefCell<Vec<String>>,
}

impl Run<'_> {
    fn on(&mut self, event: Event) {
        let was_under_way = self.check.is_under_way();
        let command = tell(&mut self.check, event.clone(), self.given);
        self.given.milliseconds.set(self.given.milliseconds.get() + 400);
        let text = text(&command);
        self.seen.borrow_mut().push(format!("{event:?}: {text}"));
        match &command {
            Command::LocalReply { .. } | Command::Close => {
                self.answers += 1;
                assert!(!self.check.is_under_way(), "{self:?}");
            }
            Command::SetDestination { .. }
            | Command::Route(_)
            | Command::HttpCall(_)
            | Command::GrpcCall(_) => {
                assert!(self.check.is_under_way(), "{self:?}");
                let elsewhere = ["the agent", " 10.0.0.7:8080", " 10.0.0.7:81"];
                let known = text == "route" || elsewhere.iter().any(|end| text.ends_with(end));
                assert!(known, "never out of the pod, nor to itself: {self:?}");
            }
            Command::HoldResponse(_) => assert!(was_under_way, "{self:?}"),
            Command::RestoreStatus(_) => assert_eq!(self.answers, 1, "{self:?}"),
            Command::Continue | Command::Pause => {}
        }
        assert!(self.answers <= 1, "one answer: {self:?}");
    }
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.seen.borrow().join("\n"))
    }
}

/// Tries each event after this order, `depth` events deep, and at most one event after an answer.
fn each_order(
    asked: (&str, bool),
    config: &Rc<FilterConfig>,
    given: &Given,
    order: &mut Vec<Event>,
    depth: usize,
) {
    let (path, typed) = asked;
    // A dispatched call of a hook goes on when its check is over, and would count against the next.
    let config = if path.starts_with("/app-lifecycle/") { &self::config() } else { config };
    let check = Check::new(config.clone());
    let mut run = Run { check, given, answers: 0, seen: RefCell::default() };
    given.milliseconds.set(0);
    let mut answered = 0;
    run.on(request(path, typed.then_some("application/grpc+proto")));
    for event in order.iter() {
        answered = run.answers;
        run.on(event.clone());
    }
    run.check.report(given, &NoProcess);
    drop(run);
    if let Lookup::Found(entry) = config.table.lookup(path.as_bytes()) {
        assert!(entry.runs.is_idle(), "{path}: counted as under way: {order:?}");
    }
    if depth == 0 || answered > 0 {
        return;
    }
    for event in events() {
        order.push(event);
        each_order(asked, config, given, order, depth - 1);
        order.pop();
    }
}

#[test]
fn every_order_of_events() {
    for given in [
        Given { sent: 200, ..Given::app("200") },
        Given::leads_to("http://10.0.0.7:81/y"),
        Given::leads_to("http://10.0.0.7:15020/"),
        Given::envoy("503", "upstream_reset_before_response_started{connection_timeout}"),
    ] {
        for path in PATHS {
            for typed in [false, true] {
                let depth = if path.starts_with("/app-lifecycle/") { 3 } else { 4 };
                each_order((path, typed), &config(), &given, &mut vec![], depth);
            }
        }
    }
}
