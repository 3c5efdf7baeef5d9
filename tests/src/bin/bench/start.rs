//! What the filter adds to Envoy at its start: memory, and time until the first answer.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use app_health_tests::app::V4;
use app_health_tests::entries::{Entries, http};
use app_health_tests::wasm;

use crate::counted::Counted;
use crate::figure::{Figure, Unit};
use crate::marks;
use crate::sidecar::{Filter, Sidecar};
use crate::stats::Spread;
use app_health_tests::usage::{memory, processor_time};

const ROUNDS: usize = 9;
const FILTERS: [Filter; 3] = [Filter::None, Filter::Empty, Filter::Ours];
/// V8 goes on compiling for a while after the first answer.
const SETTLED: Duration = Duration::from_secs(1);

/// One start.
#[derive(Clone, Copy, Debug)]
struct Started {
    /// From the program's start to the first answer, in milliseconds.
    time: f64,
    /// Its processor time until then, in milliseconds.
    processor_time: f64,
    /// VmRSS a while later, in MiB.
    memory: f64,
}

/// One start with each of the filters, in their order.
type Round = [Started; 3];

/// What was measured.
pub struct Starts(Vec<Round>);

impl Starts {
    /// Starts Envoy three times a round, each time with another filter first.
    pub fn measure() -> Self {
        Self((0..ROUNDS).map(round).collect())
    }

    /// What the filters add to Envoy's memory, and how large they are.
    pub fn memory(&self) -> Vec<Figure> {
        let of = |started: Started| started.memory;
        vec![
            self.ratio("memory added to Envoy (VmRSS)", of).mark(marks::MEMORY),
            self.added("memory added to Envoy by the filter", of, Unit::Mebibytes),
            size(".wasm", wasm::filter()).mark(marks::WASM),
            size(".wasm of an empty filter", wasm::empty()),
        ]
    }

    /// What they add to the time until the first answer.
    pub fn time(&self) -> Vec<Figure> {
        let of = |started: Started| started.time;
        vec![
            instructions(),
            self.ratio("time until the first answer added to Envoy's", of),
            self.ratio("processor time until the first answer added to Envoy's", |started| {
                started.processor_time
            }),
            self.added("time until the first answer added by the filter", of, Unit::Milliseconds),
        ]
    }

    fn ratio(&self, what: &str, of: fn(Started) -> f64) -> Figure {
        let ratios = self
            .0
            .iter()
            .map(|[none, empty, ours]| (of(*ours) - of(*none)) / (of(*empty) - of(*none)));
        Figure::new(format!("{what} ÷ an empty filter's"), Spread::of(ratios), Unit::Ratio)
    }

    fn added(&self, what: &str, of: fn(Started) -> f64, unit: Unit) -> Figure {
        let added = self.0.iter().map(|[none, _, ours]| of(*ours) - of(*none));
        Figure::new(what, Spread::of(added), unit)
    }
}

/// Whatever else the machine is doing.
fn instructions() -> Figure {
    let [empty, ours] = [Filter::Empty, Filter::Ours].map(|filter| {
        let start = |command| Sidecar::start_by(command, filter, recorded());
        Counted::start(start).until_ready()
    });
    let what = "Envoy's instructions until it is ready ÷ those with an empty filter";
    Figure::new(what, Spread::exact(ours / empty), Unit::Ratio).mark(marks::START)
}

fn recorded() -> Entries {
    Entries::default().probe("web", http((V4, 8080).into(), "/"))
}

fn round(number: usize) -> Round {
    let mut round = [None; 3];
    for step in 0..3 {
        let at = (number + step) % 3;
        round[at] = Some(started(FILTERS[at]));
    }
    round.map(|started| started.expect("all were started"))
}

fn started(filter: Filter) -> Started {
    let begin = Instant::now();
    let envoy = Sidecar::start(filter, recorded());
    let time = begin.elapsed().as_secs_f64() * 1e3;
    let processor_time = processor_time(envoy.id()).as_secs_f64() * 1e3;
    thread::sleep(SETTLED);
    Started { time, processor_time, memory: memory(envoy.id()) }
}

fn size(what: &str, file: &std::path::Path) -> Figure {
    let size = fs::metadata(file).expect("the filter is built").len();
    Figure::new(what, Spread::exact(size as f64), Unit::Bytes)
}
