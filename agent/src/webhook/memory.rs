//! The memory for what clients send and do not end, and for what they are sent and do not read. It is
//! shared out by the size of a body, so that large ones never keep small ones waiting.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, interval};

use super::body::LARGEST;

/// A review of a usual pod has 15 KB.
const SMALL: usize = 64 << 10;

/// The time that an answer has to be read.
const UNREAD: Duration = Duration::from_secs(10);

/// The same while others wait for memory.
const UNREAD_IN_NEED: Duration = Duration::from_millis(500);

/// How often those who wait look for such answers.
const LOOK: Duration = Duration::from_millis(100);

/// Bytes to a permit.
const UNIT: usize = 1024;

/// All of it.
pub struct Memory {
    small: Share,
    large: Share,
}

/// A part, for bodies of one size and their answers.
pub struct Share {
    bodies: Semaphore,
    /// Those that wait for memory, bodies or answers.
    wanting: AtomicUsize,
    /// For one answer: the others are made once that one has found memory.
    turn: Semaphore,
    answers: Arc<Answers>,
}

/// The answers that are not yet sent.
struct Answers {
    size: usize,
    free: Arc<Semaphore>,
    unread: Mutex<Unread>,
}

#[derive(Default)]
struct Unread {
    count: u64,
    /// Oldest first.
    answers: BTreeMap<u64, (Instant, Arc<Notify>)>,
}

/// An answer, until its last byte is sent.
struct Answer {
    text: String,
    number: u64,
    all: Arc<Answers>,
    _memory: OwnedSemaphorePermit,
}

impl Memory {
    /// For three of the largest bodies, for 4 MiB of small ones, and for 4 MiB of answers to either.
    pub fn new() -> Self {
        Self { small: Share::new(4 << 20, 4 << 20), large: Share::new(3 * LARGEST, LARGEST) }
    }

    /// The share of a body that is so large.
    pub fn share(&self, length: usize) -> &Share {
        if length <= SMALL { &self.small } else { &self.large }
    }

    /// Closes the connections of those who take too long to read an answer.
    pub fn close_unread(&self) {
        self.small.answers.close_unread(UNREAD);
        self.large.answers.close_unread(UNREAD);
    }
}

impl Share {
    fn new(bodies: usize, answers: usize) -> Self {
        Self {
            bodies: Semaphore::new(bodies / UNIT),
            wanting: AtomicUsize::new(0),
            turn: Semaphore::new(1),
            answers: Arc::new(Answers {
                size: answers,
                free: Arc::new(Semaphore::new(answers / UNIT)),
                unread: Mutex::default(),
            }),
        }
    }

    /// Waits for the memory of a whole body. Whoever had a part of it could wait for others that have
    /// a part.
    pub async fn body(&self, length: usize) -> Option<SemaphorePermit<'_>> {
        self.in_need(self.bodies.acquire_many(permits(length))).await.ok()
    }

    /// Whether anybody waits for memory.
    pub fn is_scarce(&self) -> bool {
        self.wanting.load(Relaxed) > 0
    }

    /// Waits until an answer may be made.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turn.acquire().await.ok()
    }

    /// Waits for the memory of an answer, which holds it until it is sent. `reader` is told when that
    /// takes too long.
    pub async fn answer(&self, text: String, reader: &Arc<Notify>) -> Bytes {
        let all = Arc::clone(&self.answers);
        let permits = permits(text.len().min(all.size));
        let memory = self.in_need(Arc::clone(&all.free).acquire_many_owned(permits)).await;
        // The semaphore is never closed.
        let Ok(memory) = memory else { return Bytes::from(text) };
        let number = all.add(reader);
        Bytes::from_owner(Answer { text, number, all, _memory: memory })
    }
}

impl Share {
    /// Waits, and meanwhile closes the connections of those who do not read.
    async fn in_need<T>(&self, free: impl Future<Output = T>) -> T {
        let mut free = pin!(free);
        let _wanting = Wanting::new(&self.wanting);
        let mut looks = interval(LOOK);
        loop {
            tokio::select! {
                biased;
                free = &mut free => return free,
                _ = looks.tick() => self.answers.close_unread(UNREAD_IN_NEED),
            }
        }
    }
}

impl Answers {
    fn add(&self, reader: &Arc<Notify>) -> u64 {
        let mut unread = self.unread();
        unread.count += 1;
        let number = unread.count;
        unread.answers.insert(number, (Instant::now(), Arc::clone(reader)));
        number
    }

    fn close_unread(&self, most: Duration) {
        let unread = self.unread();
        let old = unread.answers.values().take_while(|(since, _)| since.elapsed() >= most);
        old.for_each(|(_, reader)| reader.notify_one());
    }

    fn unread(&self) -> MutexGuard<'_, Unread> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.all.unread().answers.remove(&self.number);
    }
}

/// Counts who waits, also one who gives up.
struct Wanting<'a>(&'a AtomicUsize);

impl<'a> Wanting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Wanting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Nothing here is as large as `u32::MAX` of them.
fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}
