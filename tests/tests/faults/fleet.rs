use std::net::SocketAddr;
use std::time::Duration;

use app_health_tests::app::{Alpn, Changing, Conduct, Health, Http, Relay, Script, V4, status};
use app_health_tests::entries::{self, Entries, probe};
use app_health_tests::envoy::Envoy;
use app_health_tests::health::ServingStatus::Serving;
use app_health_tests::kubelet::{Get, Verdict, grpc, grpc_tls, http2, tcp};
use app_health_webhook::probers::{Prober, Scheme};

/// What an app speaks, and how it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Http,
    Https,
    /// In clear text.
    Http2,
    Tcp,
    Grpc,
    GrpcTls,
    /// HTTP, by a redirect of an app that is always well.
    Hop,
}

pub const KINDS: [Kind; 7] =
    [Kind::Http, Kind::Https, Kind::Http2, Kind::Tcp, Kind::Grpc, Kind::GrpcTls, Kind::Hop];

impl Kind {
    /// What such an app does.
    pub fn well(self) -> Conduct {
        let asked = Conduct::Asked(Script::status(200));
        match self {
            Kind::Http | Kind::Hop => asked,
            Kind::Https => asked.over_tls(Alpn::Http1),
            Kind::Http2 => Conduct::Http2 { after: Duration::ZERO, answer: status(200) },
            Kind::Tcp => Conduct::AtOnce(Script::default().hold()),
            Kind::Grpc => Conduct::Grpc(Health::Says(Serving)),
            Kind::GrpcTls => Conduct::Grpc(Health::Says(Serving)).over_tls(Alpn::Http2),
        }
    }
}

/// An app on one port, which refuses until it is opened.
pub struct App {
    pub kind: Kind,
    pub port: Changing,
    relay: Option<Relay>,
    front: Option<Http>,
}

impl App {
    pub fn new(kind: Kind) -> Self {
        Self::reached_by(kind, None)
    }

    /// A well one, behind a slow proxy.
    pub fn behind_relay(kind: Kind, delay: Duration) -> Self {
        let mut app = Self::reached_by(kind, Some(delay));
        app.recover();
        app
    }

    fn reached_by(kind: Kind, delay: Option<Duration>) -> Self {
        let port = Changing::start(V4);
        let relay = delay.map(|delay| Relay::start(V4, port.addr(), delay));
        let app = Self { kind, port, relay, front: None };
        let to = format!("http://{}/", app.addr());
        let redirects = || Http::start(V4, move |_| Script::redirect(302, &to));
        Self { front: (kind == Kind::Hop).then(redirects), ..app }
    }

    /// The same, and well.
    pub fn well(kind: Kind) -> Self {
        let mut app = Self::new(kind);
        app.recover();
        app
    }

    pub fn recover(&mut self) {
        self.port.open(self.kind.well());
    }

    /// What is probed.
    fn addr(&self) -> SocketAddr {
        let app = self.relay.as_ref().map_or(self.port.addr(), Relay::addr);
        self.front.as_ref().map_or(app, Http::addr)
    }

    pub fn prober(&self) -> Prober {
        match self.kind {
            Kind::Http | Kind::Hop => entries::http(self.addr(), "/"),
            Kind::Https => entries::https(self.addr(), "/"),
            Kind::Http2 => entries::http2(self.addr(), "/"),
            Kind::Tcp => entries::tcp(self.addr()),
            Kind::Grpc => entries::grpc(self.addr(), None),
            Kind::GrpcTls => entries::grpc_tls(self.addr(), None),
        }
    }

    /// What the kubelet concludes where there is no sidecar.
    pub fn directly(&self, timeout: Duration) -> Verdict {
        let get = Get::probe(self.addr(), "/").timeout(timeout).follow();
        let succeeds = |well: bool| if well { Verdict::Success } else { Verdict::Failure };
        match self.kind {
            Kind::Http | Kind::Hop => Verdict::of(&get.send()),
            Kind::Https => Verdict::of(&get.over_tls().send()),
            Kind::Http2 => Verdict::of(&http2(self.addr(), Scheme::Http, "/", timeout)),
            Kind::Tcp => succeeds(tcp(self.addr(), timeout).is_ok()),
            Kind::Grpc => succeeds(grpc(self.addr(), "", timeout).is_ok()),
            Kind::GrpcTls => succeeds(grpc_tls(self.addr(), "", timeout).is_ok()),
        }
    }
}

/// A well app of each kind.
pub struct Fleet(Vec<App>);

impl Fleet {
    pub fn well() -> Self {
        Self(KINDS.map(App::well).into())
    }

    pub fn entries(&self) -> Entries {
        let record = |entries: Entries, app: &App| entries.probe(&name(app.kind), app.prober());
        self.0.iter().fold(Entries::default(), record).patient()
    }
}

/// The container's.
pub fn name(kind: Kind) -> String {
    format!("{kind:?}").to_lowercase()
}

/// Every probe of a fleet, and the status that it is to have.
pub fn probes(envoy: &Envoy) -> Vec<(Get, u16)> {
    KINDS.map(|kind| (envoy.get(probe(&name(kind))), 200)).into()
}

/// The same, and another route of the listener.
pub fn gets(envoy: &Envoy) -> Vec<(Get, u16)> {
    [probes(envoy), vec![(envoy.get("/healthz/ready"), 200)]].concat()
}

/// All that [`gets`] has is answered as it should be. Each is asked, however the others go.
pub fn is_right(envoy: &Envoy) -> bool {
    let right = gets(envoy).into_iter().filter(|(get, status)| get.status() == Ok(*status));
    right.count() == KINDS.len() + 1
}
