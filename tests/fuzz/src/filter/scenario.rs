//! What happens in one run: clients that ask, apps that answer, each at its time.

use std::time::Duration;

use super::head::{Head, head};
use crate::host::app::UpstreamFailure::{self, *};
use crate::input::Choices;

/// What is recorded, and asked: a path, its entry, and what the model has to know of it.
pub struct Entry {
    pub path: &'static str,
    pub json: &'static str,
    pub kind: Kind,
    /// In milliseconds; 0 is no limit.
    pub timeout: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Http,
    Https,
    Http2,
    Tcp,
    Grpc,
    /// It is never asked: this is the answer.
    Refused(u16),
}

const fn entry(path: &'static str, json: &'static str, kind: Kind, timeout: u64) -> Entry {
    Entry { path, json, kind, timeout }
}

pub const ENTRIES: [Entry; 14] = [
    entry(
        "/app-health/a/readyz",
        r#"{"httpGet":{"port":8080},"timeoutSeconds":3}"#,
        Kind::Http,
        3000,
    ),
    entry(
        "/app-health/a/livez",
        r#"{"httpGet":{"port":8080,"scheme":"HTTPS"}}"#,
        Kind::Https,
        1000,
    ),
    entry(
        "/app-health/a/startupz",
        r#"{"httpGet":{"port":8080,"protocol":"HTTP2"}}"#,
        Kind::Http2,
        1000,
    ),
    entry(
        "/app-health/b/readyz",
        r#"{"tcpSocket":{"port":8080},"timeoutSeconds":2}"#,
        Kind::Tcp,
        2000,
    ),
    entry("/app-health/b/livez", r#"{"grpc":{"port":8080},"timeoutSeconds":3}"#, Kind::Grpc, 3000),
    entry("/app-health/b/startupz", r#"{"grpc":{"port":8080,"mode":"TLS"}}"#, Kind::Grpc, 1000),
    entry("/app-lifecycle/a/prestopz", r#"{"httpGet":{"port":8080}}"#, Kind::Http, 0),
    entry(
        "/app-lifecycle/a/poststartz",
        r#"{"httpGet":{"port":8080,"scheme":"HTTPS"}}"#,
        Kind::Https,
        0,
    ),
    entry(
        "/app-lifecycle/b/prestopz",
        r#"{"httpGet":{"port":8080},"timeoutSeconds":2}"#,
        Kind::Http,
        2000,
    ),
    entry("/app-lifecycle/b/poststartz", r#"{"tcpSocket":{"port":8080}}"#, Kind::Tcp, 0),
    entry(
        "/app-health/c/readyz",
        r#"{"httpGet":{"port":8080},"timeoutSeconds":60}"#,
        Kind::Http,
        60_000,
    ),
    entry("/app-health/c/livez", r#"{"httpGet":{"port":15020}}"#, Kind::Refused(500), 1000),
    entry("/app-health/c/startupz", "{}", Kind::Refused(500), 1000),
    entry("/app-health/none/readyz", "", Kind::Refused(400), 1000),
];

impl Entry {
    pub fn is_hook(&self) -> bool {
        self.path.starts_with("/app-lifecycle/")
    }
}

impl Client {
    /// The kubelet, of an app that is well.
    pub fn good(entry: usize) -> Client {
        Client {
            entry,
            at: 0,
            patience: None,
            oddity: Oddity::None,
            head: Head::default(),
            answers: Vec::new(),
        }
    }
}

/// One request of a client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Which of [`ENTRIES`].
    pub entry: usize,
    /// When it asks.
    pub at: u64,
    /// How long it waits.
    pub patience: Option<u64>,
    /// What makes the request another than the kubelet's.
    pub oddity: Oddity,
    pub head: Head,
    /// What those say that the filter asks for it, one after the other. After that all is well.
    pub answers: Vec<Answer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    None,
    Head,
    Post,
    Body,
    /// Envoy takes it for a gRPC call.
    GrpcContentType,
    /// Envoy takes it for one with a body that never ends.
    Upgrade,
}

/// An answer, as the app gives it to Envoy. All times are in milliseconds.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Until its head, or its failure.
    pub after: u64,
    pub says: Says,
}

#[derive(Clone, Debug)]
pub enum Says {
    Http(Http),
    /// There is no answer.
    Fails(UpstreamFailure),
}

#[derive(Clone, Debug)]
pub struct Http {
    pub status: u16,
    pub location: Option<&'static Location>,
    /// The time before each piece of the body, and its length.
    pub pieces: Vec<(u64, usize)>,
    pub end: End,
    /// The time between the last piece and the end.
    pub end_after: u64,
    /// What a gRPC health service says in its place.
    pub grpc: Grpc,
}

#[derive(Clone, Debug)]
pub enum Grpc {
    Message(Vec<u8>),
    Status(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With the last piece, or with the head.
    Whole,
    EmptyPiece,
    Trailers,
    Broken,
    Stalls,
}

/// A Location, and where the kubelet would go from a pod at 10.0.0.7.
#[derive(Debug)]
pub struct Location {
    pub text: &'static str,
    pub leads: Leads,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    /// On, by http or https, or by what it was.
    On(Option<bool>),
    /// Nowhere, so that the redirect is the answer.
    Elsewhere,
    /// By a scheme that is not HTTP's.
    UnknownScheme,
    /// To a port that may not be asked.
    NoPort,
    /// It cannot even be read.
    Unreadable,
}

const fn location(text: &'static str, leads: Leads) -> Location {
    Location { text, leads }
}

const LOCATIONS: [Location; 14] = [
    location("/x", Leads::On(None)),
    location("x?y#z", Leads::On(None)),
    location("//10.0.0.7:81/y", Leads::On(None)),
    location("http://10.0.0.7:81/", Leads::On(Some(false))),
    location("http://u:p@10.0.0.7/../%zz?", Leads::Unreadable),
    location("https://10.0.0.7:8443/", Leads::On(Some(true))),
    location("http://10.0.0.8/", Leads::Elsewhere),
    location("mailto:x", Leads::Elsewhere),
    location("", Leads::Elsewhere),
    location(":foo", Leads::Unreadable),
    location("http://10.0.0.7:x/", Leads::Unreadable),
    location("ftp://10.0.0.7/", Leads::UnknownScheme),
    location("http://10.0.0.7:15020/", Leads::NoPort),
    location("http://10.0.0.7:0/", Leads::NoPort),
];

/// The clients of one run.
pub fn clients(choices: &mut Choices) -> Vec<Client> {
    let mut clients = vec![client(choices)];
    clients.extend(choices.several(7, client));
    clients
}

fn client(choices: &mut Choices) -> Client {
    let odd = [
        Oddity::GrpcContentType,
        Oddity::GrpcContentType,
        Oddity::Head,
        Oddity::Post,
        Oddity::Body,
        Oddity::Upgrade,
    ];
    Client {
        entry: choices.below(ENTRIES.len()),
        at: choices.below(2500) as u64,
        patience: (choices.below(4) == 3).then(|| 1 + time(choices)),
        oddity: if choices.below(4) == 3 { choices.one_of(&odd) } else { Oddity::None },
        head: head(choices),
        answers: answers(choices),
    }
}

/// Mostly a few; sometimes redirects until there are too many.
fn answers(choices: &mut Choices) -> Vec<Answer> {
    if choices.below(8) < 7 {
        return choices.several(12, answer);
    }
    let redirect = Http { status: 302, location: Some(&LOCATIONS[0]), ..Http::good() };
    let redirect = Answer { after: 0, says: Says::Http(redirect) };
    let mut answers = vec![redirect; 7];
    answers.extend(choices.several(5, |choices| {
        let mut answer = answer(choices);
        if let Says::Http(http) = &mut answer.says {
            (http.status, http.location) = (302, Some(&LOCATIONS[1]));
        }
        answer
    }));
    answers
}

/// Mostly short, sometimes about a timeout, seldom beyond.
fn time(choices: &mut Choices) -> u64 {
    let time = match choices.below(8) {
        0..3 => 0,
        3..6 => choices.below(300),
        6 => choices.one_of(&[990, 1990, 2990]) + choices.below(15),
        _ => choices.below(4000),
    };
    time as u64
}

fn answer(choices: &mut Choices) -> Answer {
    let failures = [
        Refused,
        Unreachable,
        Reset,
        NoHttp,
        NoTls,
        ConnectReset,
        DialTimedOut,
        RemoteReset,
        Silent,
    ];
    let after = time(choices);
    let fails = choices.below(3) == 2;
    let says = match fails {
        true => Says::Fails(choices.one_of(&failures)),
        false => Says::Http(http(choices)),
    };
    Answer { after, says }
}

fn http(choices: &mut Choices) -> Http {
    let ends = [End::Whole, End::Whole, End::EmptyPiece, End::Trailers, End::Broken, End::Stalls];
    let status = match choices.below(8) {
        0..2 => 200,
        2..5 => choices.one_of(&[302, 301, 303, 307, 308]),
        5 => choices.one_of(&[101, 199, 600, 999]),
        _ => 200 + choices.below(400),
    };
    Http {
        status: status as u16,
        location: (choices.below(5) > 0).then(|| &LOCATIONS[choices.below(LOCATIONS.len())]),
        pieces: choices.several(4, |choices| (time(choices), size(choices))),
        end: choices.one_of(&ends),
        end_after: time(choices),
        grpc: grpc(choices),
    }
}

/// Of a piece of a body: mostly about a limit.
fn size(choices: &mut Choices) -> usize {
    match choices.below(8) {
        0..6 => choices.one_of(&[0, 1, 2047, 2048, 10_239, 10_240]),
        _ => choices.below(30_000),
    }
}

fn grpc(choices: &mut Choices) -> Grpc {
    match choices.below(4) {
        0..3 => Grpc::Message(
            choices.one_of(&[&b"\x08\x01"[..], b"\x08\x02", b"", b"\x08", b"x"]).to_vec(),
        ),
        _ => Grpc::Status(choices.one_of(&[1_u32, 4, 5, 12, 14, 99])),
    }
}

impl Http {
    fn good() -> Http {
        Http {
            status: 200,
            location: None,
            pieces: Vec::new(),
            end: End::Whole,
            end_after: 0,
            grpc: Grpc::Message(vec![8, 1]),
        }
    }
}

impl Answer {
    /// All is well.
    pub fn good() -> Answer {
        Answer { after: 0, says: Says::Http(Http::good()) }
    }

    /// The same of a gRPC health service, which answers at once, breaks off at once or says nothing.
    pub fn grpc_after(&self) -> Option<u64> {
        match &self.says {
            Says::Fails(_) => self.whole_after(),
            Says::Http(http) => (http.end != End::Stalls).then_some(self.after),
        }
    }

    /// How long until it is there as a whole, or until it breaks off; `None` where it never is.
    pub fn whole_after(&self) -> Option<u64> {
        match &self.says {
            Says::Fails(Silent) => None,
            Says::Fails(DialTimedOut) => Some(self.after.max(DIAL)),
            Says::Fails(_) => Some(self.after),
            Says::Http(http) => {
                let pieces: u64 = http.pieces.iter().map(|(after, _)| after).sum();
                match http.end {
                    End::Stalls => None,
                    End::Whole => Some(self.after + pieces),
                    _ => Some(self.after + pieces + http.end_after),
                }
            }
        }
    }
}

/// `connect_timeout` of the clusters that calls are dispatched to, in milliseconds.
pub const DIAL: u64 = 250;

pub fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}
