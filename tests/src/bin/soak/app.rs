//! An app, and the states that it gets into.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use app_health_tests::app::{Changing, Http, Script};
use app_health_tests::entries::{grpc, grpc_tls, http, http2, https, tcp, within};
use app_health_webhook::probers::Prober;
use fastrand::Rng;

use crate::conduct::{Deed, deed};
use crate::state::{AppKind, AppState};

/// An app of the pod.
pub struct App {
    pub kind: AppKind,
    /// Of each of its probes.
    pub timeout_seconds: u32,
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

impl App {
    pub fn new(kind: AppKind, timeout_seconds: u32, ip: IpAddr) -> Self {
        let changing = Changing::start(ip);
        let front = match kind {
            AppKind::Hop => Some(format!("http://{}/", changing.addr())),
            AppKind::HopTls => Some(format!("https://{}/", changing.addr())),
            _ => None,
        };
        let front = front.map(|url| Http::start(ip, move |_| Script::redirect(302, &url)));
        Self {
            kind,
            timeout_seconds,
            addr: front.as_ref().map_or(changing.addr(), Http::addr),
            changing: Mutex::new(changing),
            current: Mutex::new(None),
            _front: front,
        }
    }

    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.into())
    }

    /// What the variable holds of a probe of it.
    pub fn prober(&self) -> Prober {
        within(self.timeout_seconds, self.hook())
    }

    /// What the variable holds of a hook.
    pub fn hook(&self) -> Prober {
        match self.kind {
            AppKind::Http | AppKind::Hop | AppKind::HopTls => http(self.addr, "/"),
            AppKind::Https | AppKind::HttpsH2 => https(self.addr, "/"),
            AppKind::Tcp => tcp(self.addr),
            AppKind::Grpc => grpc(self.addr, None),
            AppKind::GrpcTls => grpc_tls(self.addr, None),
            AppKind::Http2 => http2(self.addr, "/"),
        }
    }

    /// `None` while it changes.
    pub fn current(&self) -> Option<CurrentState> {
        *self.current.lock().expect("no thread panics")
    }

    /// The state that comes next: what has failed recovers every other time.
    pub fn next(&self, rng: &mut Rng) -> AppState {
        let before = self.current().map(|current| current.state);
        if before != Some(AppState::Healthy) && rng.bool() {
            return AppState::Healthy;
        }
        // Connections that do not come up are what Envoy might keep for the probes that follow.
        if before != Some(AppState::QueueFull) && rng.u8(..5) == 0 {
            return AppState::QueueFull;
        }
        let is_one = |state: &AppState| {
            Some(*state) != before && deed(self.kind, *state, self.timeout()).is_some()
        };
        let states: Vec<AppState> = AppState::ALL.into_iter().filter(is_one).collect();
        rng.choice(states).expect("every kind has states")
    }

    /// Puts it into a state.
    pub fn change(&self, state: AppState) {
        let mut changing = self.changing.lock().expect("no thread panics");
        let before = self.current.lock().expect("no thread panics").take();
        match deed(self.kind, state, self.timeout()).expect("a state of its kind") {
            Deed::Open(conduct) => changing.open(conduct),
            Deed::Fill => changing.fill(),
            Deed::Close => changing.close(),
        }
        let before = before.map(|before| before.state);
        let current = CurrentState { state, before, since: Instant::now() };
        *self.current.lock().expect("no thread panics") = Some(current);
    }
}
