//! Bodies, so large and so many as memory allows.

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that a review may have. An object in etcd has 1.5 MiB, and a review holds a new pod once.
pub const LARGEST: usize = 1 << 20;

/// Bytes that all bodies and answers may have together.
const ALL: usize = 16 << 20;

/// The memory for all bodies, and for the answers that nobody has taken yet: a permit is a byte.
pub struct Memory(Arc<Semaphore>);

/// A body in memory, which it gives back when it is dropped.
#[derive(Default)]
pub struct Held {
    bytes: Vec<u8>,
    permits: Option<OwnedSemaphorePermit>,
}

/// Why a body was not read.
pub enum Unread {
    /// It is larger than [`LARGEST`]: its beginning.
    TooLarge(Held),
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
    pub async fn read(&self, mut body: Incoming) -> Result<Held, Unread> {
        let mut held = Held::default();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
            length += data.len();
            if length <= LARGEST {
                held.add(&data, self.permits(data.len()).await);
            }
        }
        if length > LARGEST { Err(Unread::TooLarge(held)) } else { Ok(held) }
    }

    /// Keeps the text of an answer.
    pub async fn hold(&self, text: String) -> Held {
        // No answer is as large, and one that were would take all there is.
        let permits = self.permits(text.len().min(ALL)).await;
        Held { permits, ..text.into() }
    }

    async fn permits(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        Arc::clone(&self.0).acquire_many_owned(bytes).await.ok()
    }
}

impl Held {
    fn add(&mut self, data: &[u8], permits: Option<OwnedSemaphorePermit>) {
        if self.bytes.capacity() < self.bytes.len() + data.len() {
            // By a quarter: what is reserved and not used is not counted.
            self.bytes.reserve_exact(data.len().max(self.bytes.len() / 4));
        }
        self.bytes.extend_from_slice(data);
        match (&mut self.permits, permits) {
            (Some(all), Some(more)) => all.merge(more),
            (all, more) => *all = more,
        }
    }
}

impl From<String> for Held {
    fn from(text: String) -> Self {
        Self { bytes: text.into_bytes(), permits: None }
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
