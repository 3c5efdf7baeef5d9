//! All that goes on at the same time.

use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::container::Container;
use crate::network::{Network, Sidecar};
use crate::samples::Samples;
use crate::tally::Tally;
use crate::watch::Watch;
use crate::worker;

/// What everybody needs.
pub struct Soak<'a> {
    pub network: &'a Network,
    pub sidecar: &'a Sidecar<'a>,
    pub tally: &'a Tally,
    pub watch: &'a Watch,
    pub end: Instant,
    /// Whether a TCP check may leave a connection for the next one: where an Envoy before 1.39 makes it.
    pub leaves_spare: bool,
    /// Whether differences are printed that are explained.
    pub verbose: bool,
}

impl Soak<'_> {
    /// The time until the end; `None` after it.
    pub fn left(&self) -> Option<Duration> {
        self.end.checked_duration_since(Instant::now())
    }

    /// Lets the containers live, and asks their probes, until the end.
    pub fn run(&self, fleet: &[Container], mut rng: Rng, samples: &mut Samples) {
        thread::scope(|scope| {
            let watched = scope.spawn(|| self.watch.run());
            thread::scope(|scope| {
                scope.spawn(|| samples.take(self));
                for container in fleet {
                    let life = rng.fork();
                    scope.spawn(move || self.network.in_pod(|| container.live(self, life)));
                    for probe in &container.probes {
                        let start = probe.period.mul_f64(rng.f64());
                        scope.spawn(move || worker::ask(self, container, probe, start));
                    }
                }
            });
            // Whoever asks has to be watched.
            self.watch.stop();
            watched.join().expect("no thread panics");
        });
    }
}
