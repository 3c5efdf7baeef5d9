//! The sample app: what would run in the Deployment's three containers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use app_health_tests::app::{Grpc, Health, Http, Open, Script};
use app_health_tests::health::ServingStatus::{NotServing, Serving};

use crate::POD_IP;
use crate::ports::Ports;

pub struct App {
    ready: Arc<AtomicU16>,
    _web: Http,
    api: Grpc,
    cache: Option<Open>,
    cache_addr: SocketAddr,
}

impl App {
    pub fn start(ports: &Ports) -> Self {
        let at = |port| SocketAddr::new(POD_IP, port);
        let ready = Arc::new(AtomicU16::new(200));
        let status = ready.clone();
        let web = Http::start_at(at(ports.web), move |request| match &request.target[..] {
            "/ready?deep=1" => Script::status(status.load(Ordering::Relaxed)),
            "/started" | "/live" => Script::status(200),
            _ => Script::status(404),
        });
        let api = Grpc::start_at(at(ports.api), Health::Says(Serving));
        let cache_addr = at(ports.cache);
        Self { ready, _web: web, api, cache: Some(Open::start_at(cache_addr)), cache_addr }
    }

    /// A port closed, and the readiness of the others failing.
    pub fn break_down(&mut self) {
        self.ready.store(503, Ordering::Relaxed);
        self.api.set(Health::Says(NotServing));
        self.cache = None;
    }

    /// Well again.
    pub fn recover(&mut self) {
        self.ready.store(200, Ordering::Relaxed);
        self.api.set(Health::Says(Serving));
        self.cache = Some(Open::start_at(self.cache_addr));
    }
}
