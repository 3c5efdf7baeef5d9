//! A container: its app, and what the kubelet does with it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use app_health_webhook::path::ProbeKind;
use fastrand::Rng;

use crate::app::App;
use crate::pair;
use crate::soak::Soak;
use crate::state::AppState;
use crate::threshold::Thresholds;

/// How long a state lasts, in periods of the probe that is asked most often.
const LASTS: std::ops::Range<f64> = 1.0..5.0;
/// And no matter what the probe, in seconds.
const AT_LEAST: f64 = 2.0;
const AT_MOST: f64 = 60.0;
/// How long an app takes to start, in milliseconds.
const STARTS: std::ops::Range<u64> = 200..5_000;

pub struct Container {
    pub name: String,
    pub app: App,
    pub probes: Vec<Probe>,
    pub hooks: Vec<ProbeKind>,
    /// How often it was restarted.
    restarts: AtomicU32,
    /// Whether its startup probe has passed since.
    started: AtomicBool,
    kill: Sender<()>,
    killed: Mutex<Receiver<()>>,
}

/// As the manifest has it.
pub struct Probe {
    pub kind: ProbeKind,
    pub period: Duration,
    pub thresholds: Thresholds,
}

impl Container {
    pub fn new(name: String, app: App, probes: Vec<Probe>, hooks: Vec<ProbeKind>) -> Self {
        let (kill, killed) = channel();
        let (restarts, started) = (AtomicU32::new(0), AtomicBool::new(false));
        Self { name, app, probes, hooks, restarts, started, kill, killed: Mutex::new(killed) }
    }

    pub fn restarts(&self) -> u32 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Whether the kubelet asks a probe of this kind now.
    pub fn is_due(&self, kind: ProbeKind) -> bool {
        let has_started = !self.has_startup_probe() || self.started.load(Ordering::Relaxed);
        has_started != (kind == ProbeKind::Startup)
    }

    fn has_startup_probe(&self) -> bool {
        self.probes.iter().any(|probe| probe.kind == ProbeKind::Startup)
    }

    /// The startup probe has passed.
    pub fn has_started(&self) {
        self.started.store(true, Ordering::Relaxed);
    }

    /// It shall be restarted.
    pub fn kill(&self) {
        // After the end nobody listens.
        let _ = self.kill.send(());
    }

    /// Changes the app at random, and restarts it when it shall be. In the end it is well.
    pub fn live(&self, soak: &Soak<'_>, mut rng: Rng) {
        let killed = self.killed.lock().expect("no thread panics");
        while let Some(left) = soak.left() {
            self.app.change(self.app.next(&mut rng));
            if killed.recv_timeout(left.min(self.lasts(&mut rng))).is_ok() {
                self.restart(soak, &mut rng);
                // What was concluded of the life before is of no account.
                while killed.try_recv().is_ok() {}
            }
        }
        self.app.change(AppState::Healthy);
    }

    fn lasts(&self, rng: &mut Rng) -> Duration {
        let shortest = self.probes.iter().map(|probe| probe.period).min().unwrap_or_default();
        let periods = LASTS.start + rng.f64() * (LASTS.end - LASTS.start);
        let seconds = (shortest.as_secs_f64() * periods).clamp(AT_LEAST, AT_MOST);
        Duration::from_secs_f64(seconds)
    }

    /// Both hooks are asked while the app stays as it is, so that their verdicts count.
    fn restart(&self, soak: &Soak<'_>, rng: &mut Rng) {
        self.hook(soak, ProbeKind::PreStop);
        self.started.store(false, Ordering::Relaxed);
        self.app.change(AppState::Closed);
        self.restarts.fetch_add(1, Ordering::Relaxed);
        let starts = Instant::now() + Duration::from_millis(rng.u64(STARTS));
        if rng.bool() {
            self.hook(soak, ProbeKind::PostStart);
        }
        thread::sleep(starts.saturating_duration_since(Instant::now()));
        self.app.change(AppState::Healthy);
        self.hook(soak, ProbeKind::PostStart);
    }

    fn hook(&self, soak: &Soak<'_>, hook: ProbeKind) {
        if self.hooks.contains(&hook) {
            pair::ask(soak, self, hook);
        }
    }
}
