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
    /// In all.
    late: Duration,
    waited: Duration,
}

impl Watch {
    /// Of Envoy and perhaps the agent. The apps run already.
    pub fn of(pids: &[u32]) -> Self {
        let own = threads(process::id(), "tokio-rt-worker");
        let envoy = pids.iter().take(1).flat_map(|pid| threads(*pid, "wrk:"));
        let agent = pids.iter().skip(1).flat_map(|pid| threads(*pid, ""));
        let threads = own.into_iter().chain(envoy).chain(agent).collect();
        let seen = Seen { last: Instant::now(), late: Duration::ZERO, waited: Duration::ZERO };
        Self { threads, seen: Mutex::new(seen), ends: AtomicBool::new(false) }
    }

    /// Until it is stopped.
    pub fn run(&self) {
        while !self.ends.load(Ordering::Relaxed) {
            thread::sleep(BEAT);
            let waited = self.threads.iter().map(waited_by).sum();
            self.seen.lock().expect("no thread panics").beat(Instant::now(), waited);
        }
    }

    pub fn stop(&self) {
        self.ends.store(true, Ordering::Relaxed);
    }

    /// So far, in all.
    pub fn waited(&self) -> Duration {
        let seen = self.seen.lock().expect("no thread panics");
        // It may be this moment that it should have been woken.
        seen.waited + seen.late + lateness(seen.last.elapsed())
    }
}

impl Seen {
    fn beat(&mut self, now: Instant, waited: Duration) {
        self.late += lateness(now.saturating_duration_since(self.last));
        self.last = now;
        // A thread that has ended is missing.
        self.waited = self.waited.max(waited);
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
    fn a_late_beat_counts_for_what_was_under_way() {
        let start = Instant::now();
        let mut seen = Seen { last: start, late: Duration::ZERO, waited: Duration::ZERO };
        seen.beat(start + BEAT, Duration::ZERO);
        assert_eq!(seen.late, Duration::ZERO);
        seen.beat(start + BEAT + LATE * 2, BEAT);
        seen.beat(start + BEAT * 2 + LATE * 2, Duration::ZERO);
        assert_eq!((seen.late, seen.waited), (LATE * 2, BEAT));
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
