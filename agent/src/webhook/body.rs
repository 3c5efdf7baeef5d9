//! The bodies of requests and answers, and the memory that all of them have together.

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that a review may have. etcd takes 1.5 MiB for an object, and the review of a new pod holds it
/// once; read, it may take ninety times as much.
pub const LARGEST: usize = 1 << 20;

/// Bytes that all bodies and answers may have together: some thousand reviews of a usual pod. What
/// has arrived and is not read yet is not among them: up to 64 KiB of a connection.
const ALL: usize = 16 << 20;

/// What is kept of a review that is too large: enough for its uid and its namespace.
const BEGINNING: usize = 4096;

/// The memory for all bodies, and for the answers that no client has taken yet. A permit is a byte.
pub struct Memory(Arc<Semaphore>);

/// Bytes that count. Dropping them gives their memory back.
#[derive(Default)]
pub struct Counted {
    bytes: Vec<u8>,
    permits: Option<OwnedSemaphorePermit>,
}

/// Why there is no body.
pub enum BodyError {
    /// The body is larger than it may be: its beginning.
    TooLarge(Counted),
    /// The client did not send all of it.
    Broken,
}

impl Default for Memory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ALL)))
    }
}

impl Memory {
    /// Reads a body. Memory is taken for what has come: to announce more costs a client nothing.
    ///
    /// # Errors
    /// The body is too large, and was read to its end all the same, so that its sender gets to read the
    /// answer; or its connection broke.
    pub async fn read(&self, mut body: Incoming, largest: usize) -> Result<Counted, BodyError> {
        let mut counted = Counted::default();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            length += data.len();
            if length <= largest {
                counted.add(self.permits(data.len()).await);
                counted.push(&data);
            } else {
                counted.truncate(BEGINNING);
            }
        }
        if length > largest { Err(BodyError::TooLarge(counted)) } else { Ok(counted) }
    }

    /// Puts the text of the answer in the place of a body, whose memory it takes over.
    pub async fn replace(&self, mut body: Counted, text: String) -> Counted {
        body.bytes = text.into_bytes();
        // An answer that were larger than all would take all there is.
        let wanted = body.bytes.len().min(ALL);
        let has = body.permits.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if wanted > has {
            body.add(self.permits(wanted - has).await);
        } else {
            body.keep(wanted);
        }
        body
    }

    async fn permits(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        Arc::clone(&self.0).acquire_many_owned(bytes).await.ok()
    }
}

impl Counted {
    fn add(&mut self, permits: Option<OwnedSemaphorePermit>) {
        match (&mut self.permits, permits) {
            (Some(all), Some(more)) => all.merge(more),
            (none @ None, more) => *none = more,
            (Some(_), None) => {}
        }
    }

    fn keep(&mut self, permits: usize) {
        if let Some(all) = &mut self.permits {
            drop(all.split(all.num_permits().saturating_sub(permits)));
        }
    }

    fn push(&mut self, data: &[u8]) {
        if self.bytes.capacity() < self.bytes.len() + data.len() {
            // By a quarter rather than by twice as much, since room that is not used does not count.
            self.bytes.reserve_exact(data.len().max(self.bytes.len() / 4));
        }
        self.bytes.extend_from_slice(data);
    }

    fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
        self.bytes.shrink_to_fit();
        self.keep(length);
    }
}

impl From<String> for Counted {
    fn from(text: String) -> Self {
        Self { bytes: text.into_bytes(), permits: None }
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn of(permits: usize) -> Memory {
        Memory(Arc::new(Semaphore::new(permits)))
    }

    fn text(length: usize) -> String {
        "x".repeat(length)
    }

    #[tokio::test]
    async fn an_answer_takes_over_its_bodys_memory_until_it_is_dropped() {
        let memory = of(10);
        let left = || memory.0.available_permits();
        let mut body = Counted::default();
        body.add(memory.permits(4).await);
        body.add(memory.permits(2).await);
        assert_eq!(left(), 4);
        let answer = memory.replace(body, text(3)).await;
        assert_eq!((answer.as_ref().len(), left()), (3, 7), "a shorter one");
        let answer = memory.replace(answer, text(9)).await;
        assert_eq!((answer.as_ref().len(), left()), (9, 1), "a longer one");
        drop(answer);
        assert_eq!(left(), 10);
    }

    #[tokio::test]
    async fn an_answer_waits_for_memory_and_leaves_none_behind_if_it_gives_up() {
        let memory = of(10);
        let other = memory.replace(Counted::default(), text(8)).await;
        let waits = memory.replace(Counted::default(), text(3));
        assert!(timeout(Duration::ZERO, waits).await.is_err());
        drop(other);
        assert_eq!(memory.0.available_permits(), 10);
    }

    #[tokio::test]
    async fn what_is_cut_off_is_given_back() {
        let memory = of(100);
        let mut body = Counted::default();
        body.add(memory.permits(60).await);
        body.push(&[b'x'; 60]);
        body.truncate(20);
        assert_eq!((body.as_ref().len(), memory.0.available_permits()), (20, 80));
        body.truncate(20);
        assert_eq!(memory.0.available_permits(), 80);
    }
}
