//! How long who takes part had to wait for a processor: where that is long, a verdict says nothing.

use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const BEAT: Duration = Duration::from_millis(10);
/// Later than this it is the machine that was held up.
const LATE: Duration = Duration::from_millis(20);

/// Wakes up all the time, notes when it is woken late, and how long the threads have waited that matter to
/// all: Envoy's workers, the agent, and those of the apps.
pub struct Watch {
    threads: Vec<PathBuf>,
    seen: Mutex<Seen>,
    ends: AtomicBool,
}

struct Seen {
    last: Instant,
    waits: Waits,
}

/// How long each has waited so far; the first is the machine as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Waits(Vec<Duration>);

impl Watch {
    /// Of Envoy and perhaps the agent. The apps run already.
    pub fn of(pids: &[u32]) -> Self {
        let own = threads(process::id(), "tokio-rt-worker");
        let envoy = pids.iter().take(1).flat_map(|pid| threads(*pid, "wrk:"));
        let agent = pids.iter().skip(1).flat_map(|pid| threads(*pid, ""));
        let threads: Vec<_> = own.into_iter().chain(envoy).chain(agent).collect();
        let waits = Waits(vec![Duration::ZERO; threads.len() + 1]);
        let seen = Seen { last: Instant::now(), waits };
        Self { threads, seen: Mutex::new(seen), ends: AtomicBool::new(false) }
    }

    /// Until it is stopped.
    pub fn run(&self) {
        while !self.ends.load(Ordering::Relaxed) {
            thread::sleep(BEAT);
            let waits: Vec<_> = self.threads.iter().map(waited_by).collect();
            self.seen.lock().expect("no thread panics").beat(Instant::now(), &waits);
        }
    }

    pub fn stop(&self) {
        self.ends.store(true, Ordering::Relaxed);
    }

    pub fn waits(&self) -> Waits {
        let seen = self.seen.lock().expect("no thread panics");
        let mut waits = seen.waits.clone();
        // It may be this moment that it should have been woken.
        waits.0[0] += lateness(seen.last.elapsed());
        waits
    }
}

impl Seen {
    fn beat(&mut self, now: Instant, threads: &[Duration]) {
        let late = self.waits.0[0] + lateness(now.saturating_duration_since(self.last));
        self.last = now;
        self.waits.0.clear();
        self.waits.0.push(late);
        self.waits.0.extend_from_slice(threads);
    }
}

impl Waits {
    /// The longest since then.
    pub fn longest_since(&self, before: &Self) -> Duration {
        // A thread that has ended waits no more.
        let waits = self.0.iter().zip(&before.0).map(|(now, then)| now.saturating_sub(*then));
        waits.max().unwrap_or_default()
    }
}

fn lateness(since: Duration) -> Duration {
    if since > LATE { since } else { Duration::ZERO }
}

/// How long this thread has waited.
pub fn of_this_thread() -> Duration {
    waited_by(&PathBuf::from("/proc/thread-self/schedstat"))
}

/// Where the kernel says how long the threads of a process have waited whose name begins so.
fn threads(pid: u32, name: &str) -> Vec<PathBuf> {
    let folder = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    let threads = folder.flatten().map(|thread| thread.path());
    let is_meant = |thread: &PathBuf| {
        fs::read_to_string(thread.join("comm")).is_ok_and(|comm| comm.starts_with(name))
    };
    threads.filter(is_meant).map(|thread| thread.join("schedstat")).collect()
}

/// Nothing, where the kernel does not say it.
fn waited_by(file: &PathBuf) -> Duration {
    let text = fs::read_to_string(file).unwrap_or_default();
    let waited = text.split(' ').nth(1).and_then(|nanoseconds| nanoseconds.parse().ok());
    Duration::from_nanos(waited.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_beat_and_a_thread_that_waits_count_for_what_was_under_way() {
        let start = Instant::now();
        let none = Waits(vec![Duration::ZERO; 3]);
        let mut seen = Seen { last: start, waits: none.clone() };
        seen.beat(start + BEAT, &[Duration::ZERO; 2]);
        assert_eq!(seen.waits, none);
        seen.beat(start + BEAT + LATE * 2, &[BEAT, LATE]);
        seen.beat(start + BEAT * 2 + LATE * 2, &[BEAT, LATE * 4]);
        assert_eq!(seen.waits.longest_since(&none), LATE * 4);
        assert_eq!(seen.waits.longest_since(&Waits(vec![BEAT, BEAT, LATE * 4])), LATE * 2 - BEAT);
    }

    #[test]
    fn a_thread_that_is_named_is_found() {
        let named = thread::Builder::new().name("found".into());
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let thread = named.spawn(move || told.recv()).expect("a thread");
        // The name is given by the thread itself.
        app_health_tests::poll::until("its name", || threads(process::id(), "found").len() == 1);
        assert_eq!(threads(process::id(), "nobody"), Vec::<PathBuf>::new());
        drop(tell);
        assert!(thread.join().expect("no panic").is_err());
    }
}
