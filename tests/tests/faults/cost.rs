use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use app_health_tests::kubelet::Get;
use app_health_tests::poll::{PATIENCE, SetAtEnd, until};

/// Between two probes that show when all is right again.
pub const PAUSE: Duration = Duration::from_millis(10);

/// What a fault has cost, once it is over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Probes with a wrong verdict.
    pub lost: usize,
    /// Until the last of them was answered.
    pub time: Duration,
}

impl Cost {
    /// Asks every [`PAUSE`], until the verdict has been right ten times in a row.
    ///
    /// # Panics
    /// Where that does not come.
    pub fn until_right(mut is_right: impl FnMut() -> bool) -> Self {
        let start = Instant::now();
        let (mut cost, mut in_a_row) = (Self::default(), 0);
        while in_a_row < 10 {
            if is_right() {
                in_a_row += 1;
            } else {
                in_a_row = 0;
                cost = Self { lost: cost.lost + 1, time: start.elapsed() };
                assert!(cost.time < PATIENCE, "not right again: {cost:?}");
            }
            thread::sleep(PAUSE);
        }
        cost
    }

    /// The worse of both.
    pub fn max(self, other: Self) -> Self {
        Self { lost: self.lost.max(other.lost), time: self.time.max(other.time) }
    }

    /// A line for the table of BENCH.md.
    pub fn report(self, fault: impl fmt::Display) {
        println!("fault: {fault}: {} lost, right again after {:.0?}", self.lost, self.time);
    }
}

/// Kubelets that ask, each one probe again and again, while a test goes on.
pub struct Kubelets {
    stopped: AtomicBool,
    /// Of each.
    right: Vec<AtomicUsize>,
    wrong: Mutex<Vec<String>>,
}

impl Kubelets {
    /// Asks these, which are to have these statuses, until `work` is done. It gives back how many were right,
    /// and all that were not.
    pub fn ask_during(asked: &[(Get, u16)], work: impl FnOnce(&Self)) -> (usize, Vec<String>) {
        let kubelets = Self {
            stopped: AtomicBool::new(false),
            right: asked.iter().map(|_| AtomicUsize::new(0)).collect(),
            wrong: Mutex::default(),
        };
        thread::scope(|scope| {
            let _end = SetAtEnd(&kubelets.stopped);
            for ((get, status), right) in asked.iter().zip(&kubelets.right) {
                let kubelets = &kubelets;
                scope.spawn(move || kubelets.ask(get, *status, right));
            }
            work(&kubelets);
        });
        let right = kubelets.right.into_iter().map(AtomicUsize::into_inner).sum();
        (right, kubelets.wrong.into_inner().expect("no kubelet panics"))
    }

    fn ask(&self, get: &Get, status: u16, right: &AtomicUsize) {
        while !self.stopped.load(Ordering::Relaxed) {
            let answer = get.send().map(|answer| (answer.status, answer.text()));
            if matches!(&answer, Ok((came, _)) if *came == status) {
                right.fetch_add(1, Ordering::Relaxed);
            } else {
                let wrong = format!("{answer:?} in place of {status}: {get:?}");
                self.wrong.lock().expect("no kubelet panics").push(wrong);
            }
        }
    }

    /// Waits until each has been right so many times more.
    pub fn more(&self, probes: usize) {
        let right = || self.right.iter().map(|right| right.load(Ordering::Relaxed));
        let enough: Vec<_> = right().map(|now| now + probes).collect();
        until("probes are answered rightly", || right().zip(&enough).all(|(now, it)| now >= *it));
    }
}
