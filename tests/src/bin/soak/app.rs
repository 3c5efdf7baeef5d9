//! The apps, and how they change.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use app_health_tests::app::{Changing, Http, Script, V4};
use app_health_tests::entries::{grpc, grpc_tls, http, http2, https, tcp, within};
use app_health_webhook::probers::Prober;
use fastrand::Rng;

use crate::conduct::{Deed, deed};
use crate::state::{AppKind, AppState};

/// How long a state lasts, in milliseconds.
const LASTS: std::ops::Range<u64> = 2_000..11_000;
/// Every kind, and how often it is among the apps.
pub const FLEET: [(AppKind, u32); 9] = [
    (AppKind::Http, 5),
    (AppKind::Https, 3),
    (AppKind::Http2, 2),
    (AppKind::HttpsH2, 2),
    (AppKind::Tcp, 4),
    (AppKind::Grpc, 3),
    (AppKind::GrpcTls, 2),
    (AppKind::Hop, 2),
    (AppKind::HopTls, 1),
];

/// An app of the pod.
pub struct App {
    pub name: String,
    pub kind: AppKind,
    pub timeout_seconds: u32,
    /// How many probes of it there are, at the same time or nearly so.
    pub probes: u32,
    /// What the probe asks.
    pub addr: SocketAddr,
    changing: Mutex<Changing>,
    current: Mutex<Option<CurrentState>>,
    _front: Option<Http>,
}

/// The state in which an app is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentState {
    pub state: AppState,
    pub before: Option<AppState>,
    pub since: Instant,
}

/// All of them, with timeouts of 1 to 3 s; every third has two probes.
pub fn fleet() -> Vec<App> {
    let kinds = FLEET.into_iter().flat_map(|(kind, number)| (0..number).map(move |n| (kind, n)));
    (0..).zip(kinds).map(|(place, (kind, n))| App::new(kind, n, place)).collect()
}

impl App {
    /// The `n`-th of its kind, at this place among all of them.
    pub fn new(kind: AppKind, n: u32, place: u32) -> Self {
        let changing = Changing::start(V4);
        let front = match kind {
            AppKind::Hop => Some(format!("http://{}/", changing.addr())),
            AppKind::HopTls => Some(format!("https://{}/", changing.addr())),
            _ => None,
        };
        let front = front.map(|url| Http::start(V4, move |_| Script::redirect(302, &url)));
        Self {
            name: format!("{}-{n}", kind.name()),
            kind,
            timeout_seconds: 1 + n % 3,
            probes: if place.is_multiple_of(3) { 2 } else { 1 },
            addr: front.as_ref().map_or(changing.addr(), Http::addr),
            changing: Mutex::new(changing),
            current: Mutex::new(None),
            _front: front,
        }
    }

    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.into())
    }

    /// What the variable holds of it.
    pub fn prober(&self) -> Prober {
        let prober = match self.kind {
            AppKind::Http | AppKind::Hop | AppKind::HopTls => http(self.addr, "/"),
            AppKind::Https | AppKind::HttpsH2 => https(self.addr, "/"),
            AppKind::Tcp => tcp(self.addr),
            AppKind::Grpc => grpc(self.addr, None),
            AppKind::GrpcTls => grpc_tls(self.addr, None),
            AppKind::Http2 => http2(self.addr, "/"),
        };
        within(self.timeout_seconds, prober)
    }

    /// `None` while it changes.
    pub fn current(&self) -> Option<CurrentState> {
        *self.current.lock().expect("no thread panics")
    }

    pub fn change_until(&self, end: Instant, mut rng: Rng) {
        let mut before = None;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            let state = self.next(before, &mut rng);
            self.change(state, before);
            before = Some(state);
            // A full queue the longest: ever more rarely a connection is tried again.
            let range =
                if state == AppState::QueueFull { LASTS.end - 3_000..LASTS.end } else { LASTS };
            thread::sleep(left.min(Duration::from_millis(rng.u64(range))));
        }
    }

    /// What has failed recovers every other time.
    fn next(&self, before: Option<AppState>, rng: &mut Rng) -> AppState {
        if before != Some(AppState::Healthy) && rng.bool() {
            return AppState::Healthy;
        }
        // Connections that do not come up are what Envoy might keep for the probes that follow.
        if before != Some(AppState::QueueFull) && rng.u8(..4) == 0 {
            return AppState::QueueFull;
        }
        let is_one = |state: &AppState| {
            Some(*state) != before && deed(self.kind, *state, self.timeout()).is_some()
        };
        let states: Vec<AppState> = AppState::ALL.into_iter().filter(is_one).collect();
        rng.choice(states).expect("every kind has states")
    }

    /// Puts it into a state.
    pub fn change(&self, state: AppState, before: Option<AppState>) {
        *self.current.lock().expect("no thread panics") = None;
        let mut changing = self.changing.lock().expect("no thread panics");
        match deed(self.kind, state, self.timeout()).expect("a state of its kind") {
            Deed::Open(conduct) => changing.open(conduct),
            Deed::Fill => changing.fill(),
            Deed::Close => changing.close(),
        }
        let current = CurrentState { state, before, since: Instant::now() };
        *self.current.lock().expect("no thread panics") = Some(current);
    }
}
