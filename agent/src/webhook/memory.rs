//! The memory for what clients send and do not end, and for what they are sent and do not read. It is
//! shared out by the size of a body, so that large ones never keep small ones waiting.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::body::LARGEST;

/// A review of a usual pod has 15 KB.
const SMALL: usize = 64 << 10;

/// The time that an answer has to be read.
const UNREAD: Duration = Duration::from_secs(10);

/// The same while none is left for others.
const UNREAD_IN_NEED: Duration = Duration::from_millis(500);

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
    /// For one answer: the others are made once that one has found memory.
    turn: Semaphore,
    answers: Arc<Semaphore>,
    /// What `answers` has in all: one that is larger takes it all.
    most_answers: u32,
    unread: Mutex<Vec<Weak<Unread>>>,
}

/// That an answer is not yet sent.
struct Unread {
    since: Instant,
    reader: Arc<Notify>,
}

/// An answer, until its last byte is sent.
struct Answer {
    text: String,
    _memory: OwnedSemaphorePermit,
    _unread: Arc<Unread>,
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
    pub fn close_unread(&self, now: Instant) {
        self.small.close_unread(now);
        self.large.close_unread(now);
    }
}

impl Share {
    fn new(bodies: usize, answers: usize) -> Self {
        Self {
            bodies: Semaphore::new(bodies / UNIT),
            turn: Semaphore::new(1),
            answers: Arc::new(Semaphore::new(answers / UNIT)),
            most_answers: permits(answers),
            unread: Mutex::default(),
        }
    }

    /// Waits for the memory of a whole body. Whoever had a part of it could wait for others that have
    /// a part.
    pub async fn body(&self, length: usize) -> Option<SemaphorePermit<'_>> {
        self.bodies.acquire_many(permits(length)).await.ok()
    }

    /// Whether a body would have to wait. Whoever waits already has been given what was left.
    pub fn is_scarce(&self) -> bool {
        self.bodies.available_permits() == 0
    }

    /// Waits until an answer may be made.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turn.acquire().await.ok()
    }

    /// Waits for the memory of an answer, which holds it until it is sent. `reader` is told when that
    /// takes too long.
    pub async fn answer(&self, text: String, reader: &Arc<Notify>) -> Bytes {
        let permits = permits(text.len()).min(self.most_answers);
        let memory = Arc::clone(&self.answers).acquire_many_owned(permits).await;
        // The semaphore is never closed.
        let Ok(memory) = memory else { return Bytes::from(text) };
        let unread = Arc::new(Unread { since: Instant::now(), reader: Arc::clone(reader) });
        self.unread().push(Arc::downgrade(&unread));
        Bytes::from_owner(Answer { text, _memory: memory, _unread: unread })
    }

    fn close_unread(&self, now: Instant) {
        let in_need = self.answers.available_permits() == 0;
        let most = if in_need { UNREAD_IN_NEED } else { UNREAD };
        let mut unread = self.unread();
        unread.retain(|answer| answer.strong_count() > 0);
        let old = |answer: &Arc<Unread>| now.duration_since(answer.since) >= most;
        let old = unread.iter().filter_map(Weak::upgrade).filter(old);
        old.for_each(|answer| answer.reader.notify_one());
    }

    fn unread(&self) -> MutexGuard<'_, Vec<Weak<Unread>>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// Nothing here is as large as `u32::MAX` of them.
fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const SIZE: usize = 8 * UNIT;

    /// Asks for it, and gives up; whether there was need to.
    async fn waits<T>(asks: impl Future<Output = T>) -> bool {
        timeout(Duration::ZERO, asks).await.is_err()
    }

    fn answer() -> String {
        "x".repeat(SIZE)
    }

    /// Whether the connection of the reader is closed so long from now.
    async fn closes(share: &Share, reader: &Notify, later: Duration) -> bool {
        share.close_unread(Instant::now() + later);
        !waits(reader.notified()).await
    }

    #[tokio::test]
    async fn who_gives_up_waiting_for_the_memory_of_a_body_leaves_none_behind() {
        let share = Share::new(SIZE, SIZE);
        let held = share.body(SIZE / 2).await;
        assert!(!share.is_scarce());
        let mut large = Box::pin(share.body(SIZE));
        assert!(waits(&mut large).await);
        assert!(share.is_scarce() && waits(share.body(UNIT)).await);
        drop(large);
        assert!(!share.is_scarce());
        drop(held);
        assert!(!waits(share.body(SIZE)).await);
    }

    #[tokio::test]
    async fn who_gives_up_waiting_for_the_turn_leaves_it_to_the_next() {
        let share = Share::new(SIZE, SIZE);
        let held = share.turn().await;
        assert!(waits(share.turn()).await);
        drop(held);
        assert!(!waits(share.turn()).await);
    }

    #[tokio::test]
    async fn who_gives_up_waiting_for_the_memory_of_an_answer_leaves_none_behind() {
        let (share, reader) = (Share::new(SIZE, SIZE), Arc::default());
        let unread = share.answer(answer(), &reader).await;
        assert!(waits(share.answer("x".to_owned(), &reader)).await);
        drop(unread);
        assert_eq!(share.answer(answer() + "larger than all", &reader).await.len(), SIZE + 15);
        assert!(!waits(share.answer(answer(), &reader)).await);
    }

    #[tokio::test]
    async fn who_does_not_read_is_closed_sooner_while_no_memory_is_left() {
        let (share, reader) = (Share::new(SIZE, SIZE), Arc::default());
        let unread = share.answer("x".to_owned(), &reader).await;
        // Of no use to a body.
        let _body = share.body(SIZE).await;
        assert!(!closes(&share, &reader, UNREAD / 2).await);
        assert!(closes(&share, &reader, UNREAD).await);
        let mut other = Box::pin(share.answer(answer(), &reader));
        assert!(waits(&mut other).await);
        assert!(!closes(&share, &reader, UNREAD_IN_NEED / 2).await);
        assert!(closes(&share, &reader, UNREAD_IN_NEED).await);
        drop(unread);
        assert!(!waits(other).await);
        assert!(!closes(&share, &reader, UNREAD).await, "all of it was sent");
    }
}
