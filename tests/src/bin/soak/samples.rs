//! What Envoy and the agent hold, again and again: it must not grow, and in the end nothing may be left.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use app_health_tests::open_files::OpenFiles;
use app_health_tests::usage::{descriptors, memory};

use crate::network::Sidecar;
use crate::soak::Soak;

/// The time is divided into so many parts, with a sample after each.
const NUMBER: u32 = 90;
/// The longest that connections may outlive their probes: a dial that nobody answers ends after 30 s, and
/// a connection to the agent that nobody uses after 10.
const LINGERS: Duration = Duration::from_secs(90);

/// Of one program.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sample {
    /// In MiB.
    memory: f64,
    descriptors: f64,
    /// To apps and from the kubelet.
    connections: f64,
}

/// How much more of it the last third of the time may have than the one before, in the middle of each: as
/// much as the number of apps that hang goes up and down.
const GROWS: Sample = Sample { memory: 6.0, descriptors: 60.0, connections: 60.0 };
/// Of less time than this: what is needed at the start, or while the machine is busy, would look like a slope.
const SHORT: Duration = Duration::from_secs(300);
const GROWS_AT_FIRST: Sample = Sample { memory: 24.0, descriptors: 500.0, connections: 500.0 };

/// Those of one program.
pub struct History {
    name: &'static str,
    pid: u32,
    agent_port: u16,
    grows: Sample,
    /// Before the first probe.
    idle: OpenFiles,
    samples: Vec<Sample>,
    /// What was left after the last one.
    left: OpenFiles,
}

pub struct Samples(Vec<History>);

impl Samples {
    /// Of Envoy and perhaps the agent, who have nothing to do yet, for so long.
    pub fn of(sidecar: &Sidecar<'_>, time: Duration) -> Self {
        let programs = ["Envoy", "agent"].into_iter().zip(sidecar.pids());
        let grows = if time < SHORT { GROWS_AT_FIRST } else { GROWS };
        let agent_port = sidecar.agent_port();
        Self(programs.map(|(name, pid)| History::of(name, pid, agent_port, grows)).collect())
    }

    /// Until the end.
    pub fn take(&mut self, soak: &Soak<'_>) {
        let pause = soak.left().unwrap_or_default() / NUMBER;
        while let Some(left) = soak.left() {
            thread::sleep(pause.min(left));
            self.0.iter_mut().for_each(History::take);
        }
    }

    /// Waits until all that was for probes is gone, or should be.
    pub fn wait_for_the_end(&mut self) {
        let deadline = Instant::now() + LINGERS;
        while self.0.iter_mut().any(|history| !history.has_let_go()) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Whether nothing has grown, and nothing is left.
    pub fn is_well(&self) -> bool {
        self.0.iter().all(|history| history.leaks().is_empty())
    }
}

impl History {
    fn of(name: &'static str, pid: u32, agent_port: u16, grows: Sample) -> Self {
        let idle = OpenFiles::by(pid, agent_port);
        Self { name, pid, agent_port, grows, idle, samples: Vec::new(), left: idle }
    }

    fn take(&mut self) {
        let files = OpenFiles::by(self.pid, self.agent_port);
        self.samples.push(Sample {
            memory: memory(self.pid),
            descriptors: descriptors(self.pid) as f64,
            connections: files.connections as f64,
        });
    }

    fn has_let_go(&mut self) -> bool {
        self.left = OpenFiles::by(self.pid, self.agent_port);
        self.nothing_is_left()
    }

    fn nothing_is_left(&self) -> bool {
        self.left.connections == 0 && self.left.others <= self.idle.others
    }

    /// What has grown, or is left.
    fn leaks(&self) -> Vec<&'static str> {
        let mut leaks = grown(&self.samples, &self.grows);
        if !self.nothing_is_left() {
            leaks.push("what is left");
        }
        leaks
    }
}

type Measure = fn(&Sample) -> f64;

fn grown(samples: &[Sample], by: &Sample) -> Vec<&'static str> {
    let third = samples.len() / 3;
    let of = |part: &[Sample], value: Measure| median(part.iter().map(value).collect());
    let measures: [(&str, Measure); 3] = [
        ("memory", |sample| sample.memory),
        ("descriptors", |sample| sample.descriptors),
        ("connections", |sample| sample.connections),
    ];
    let grows = |value: Measure| {
        let (before, after) = (&samples[third..2 * third], &samples[2 * third..]);
        of(after, value) > of(before, value) + value(by)
    };
    measures.into_iter().filter(|(_, value)| grows(*value)).map(|(name, _)| name).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|history| history.fmt(f))
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, samples, idle, left, .. } = self;
        let [Some(first), Some(last)] = [samples.first(), samples.last()] else { return Ok(()) };
        writeln!(
            f,
            "{name}, first and last: {:.1} and {:.1} MiB, {} and {} descriptors, {} and {} connections of probes; \
             {} in the end. Descriptors besides: {}, {} in the end.",
            first.memory,
            last.memory,
            first.descriptors,
            last.descriptors,
            first.connections,
            last.connections,
            left.connections,
            idle.others,
            left.others,
        )?;
        match &self.leaks()[..] {
            [] => Ok(()),
            leaks => writeln!(f, "{name} leaks: {}", leaks.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(value: impl Fn(f64) -> f64) -> Vec<Sample> {
        let sample = |n: u32| Sample { descriptors: value(n.into()), ..Sample::default() };
        (0..NUMBER).map(sample).collect()
    }

    #[test]
    fn a_slope_is_one_that_goes_on() {
        assert!(grown(&[], &GROWS).is_empty());
        let up_and_down = |n: f64| 100.0 + 80.0 * n.sin();
        assert!(grown(&samples(up_and_down), &GROWS).is_empty());
        assert!(grown(&samples(|n| if n < 30.0 { n * 100.0 } else { 3_000.0 }), &GROWS).is_empty());
        assert_eq!(grown(&samples(|n| up_and_down(n) + n * 4.0), &GROWS), ["descriptors"]);
        let memory = samples(|n| n).into_iter();
        let memory = memory.map(|sample| Sample { memory: sample.descriptors, ..sample });
        assert_eq!(grown(&memory.collect::<Vec<_>>(), &GROWS), ["memory"]);
    }
}
