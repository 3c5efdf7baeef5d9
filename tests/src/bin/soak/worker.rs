//! A probe of a container, asked as the kubelet's prober does (`pkg/kubelet/prober/worker.go`): when, and
//! what follows. Beside it stands what would follow from asking the app itself.

use std::thread;
use std::time::{Duration, Instant};

use app_health_tests::kubelet::Verdict;
use app_health_webhook::path::ProbeKind;

use crate::container::{Container, Probe};
use crate::pair::{self, Pair};
use crate::question;
use crate::soak::Soak;
use crate::threshold::Results;

/// Asks until the end. The kubelet, too, begins at random within the first period.
pub fn ask(soak: &Soak<'_>, container: &Container, probe: &Probe, start: Duration) {
    let limit = question::limit(&container.app, probe.kind);
    let mut worker = Worker::new(container, probe);
    let mut tick = Instant::now() + start;
    loop {
        thread::sleep(tick.saturating_duration_since(Instant::now()));
        if soak.left().is_none_or(|left| left < limit) {
            return;
        }
        if worker.is_due() {
            let pair = pair::ask(soak, container, probe.kind);
            worker.take(&pair, soak);
        }
        // As Go's ticker: one tick that was missed comes at once, more are lost.
        let now = Instant::now();
        tick += probe.period;
        while tick + probe.period <= now {
            tick += probe.period;
        }
    }
}

struct Worker<'a> {
    container: &'a Container,
    probe: &'a Probe,
    /// Which of the container's lives it is.
    restarts: u32,
    /// Until the container has been restarted.
    on_hold: bool,
    /// What the kubelet concludes from the status port.
    results: Results,
    /// What it would conclude from the app.
    of_app: Results,
    /// The app itself failed the last time.
    failed: bool,
    /// When it was asked the last time, that had an end.
    ended: Option<Instant>,
}

impl<'a> Worker<'a> {
    fn new(container: &'a Container, probe: &'a Probe) -> Self {
        Self {
            container,
            probe,
            restarts: 0,
            on_hold: false,
            results: Results::default(),
            of_app: Results::default(),
            failed: false,
            ended: None,
        }
    }

    fn is_due(&mut self) -> bool {
        let restarts = self.container.restarts();
        if restarts != self.restarts {
            *self = Self { restarts, ..Self::new(self.container, self.probe) };
        }
        !self.on_hold && self.container.is_due(self.probe.kind)
    }

    fn take(&mut self, pair: &Pair, soak: &Soak<'_>) {
        let before = self.results.passes;
        self.results.add(pair.through != Verdict::Failure, self.probe.thresholds);
        self.of_app.add(pair.direct != Verdict::Failure, self.probe.thresholds);
        if pair.is_explained {
            // Nobody knows what the kubelet would have seen.
            self.of_app = self.results;
        } else if self.results.passes != self.of_app.passes {
            soak.tally.misled();
        }
        self.recover(pair, soak);
        if self.results.passes != before {
            self.act(soak);
        }
    }

    /// An app that has recovered is right with the first probe that begins after that: within a period, or
    /// when the probe ends that was under way.
    fn recover(&mut self, pair: &Pair, soak: &Soak<'_>) {
        if let Some(current) = pair.current.filter(|_| !pair.is_explained) {
            let app_fails = pair.direct == Verdict::Failure;
            if self.failed && !app_fails {
                let free = self.ended.map_or(current.since, |ended| ended.max(current.since));
                let wait = pair.begun.duration_since(free).div_duration_f64(self.probe.period);
                soak.tally.recovered(pair.through != Verdict::Failure, wait);
            }
            self.failed = app_fails;
        }
        self.ended = Some(Instant::now());
    }

    fn act(&mut self, soak: &Soak<'_>) {
        match (self.probe.kind, self.results.passes) {
            (ProbeKind::Startup, Some(true)) => self.container.has_started(),
            (ProbeKind::Startup | ProbeKind::Liveness, Some(false)) => {
                self.on_hold = true;
                soak.tally.restarted();
                self.container.kill();
            }
            (ProbeKind::Readiness, Some(false)) => soak.tally.out_of_rotation(),
            _ => {}
        }
    }
}
