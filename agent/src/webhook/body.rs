//! A request's body: so large, so slow, and so much of all bodies together.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// An object in etcd has 1.5 MiB, a request to the API server 3 MiB at most, and the review of a
/// new pod holds it once.
pub const LARGEST: usize = 4 << 20;

/// The time for all of it.
const SLOWEST: Duration = Duration::from_secs(10);

/// What is read of a body that is too large, so that its sender gets to read the answer.
const DISCARDED: usize = 64 << 20;

/// Bytes to a permit.
const UNIT: usize = 1024;

/// The memory for the bodies of all requests that are under way.
pub struct Memory(Semaphore);

/// A body that has been read; its memory is given back when it is dropped.
pub struct Received<'a> {
    /// All of it.
    pub bytes: Vec<u8>,
    _memory: SemaphorePermit<'a>,
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Larger than [`LARGEST`].
    TooLarge,
    /// Not there in time, or no memory was free in time.
    TooSlow,
    /// It broke off.
    Broken,
}

impl Memory {
    /// Room for four of the largest.
    pub fn new() -> Self {
        Self(Semaphore::new(4 * LARGEST / UNIT))
    }

    /// Reads a body.
    ///
    /// # Errors
    /// It is too large, or does not come in time.
    pub async fn read(&self, body: Incoming) -> Result<Received<'_>, Refusal> {
        timeout(SLOWEST, self.read_all(body)).await.unwrap_or(Err(Refusal::TooSlow))
    }

    async fn read_all(&self, mut body: Incoming) -> Result<Received<'_>, Refusal> {
        let announced = body.size_hint().exact().unwrap_or(0);
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        if announced > LARGEST {
            return Err(discard(body, 0).await);
        }
        let mut memory = self.take(announced).await?;
        let mut bytes = Vec::with_capacity(announced);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Refusal::Broken)?.into_data() else { continue };
            let length = bytes.len() + data.len();
            if length > LARGEST {
                return Err(discard(body, length).await);
            }
            let missing = length.div_ceil(UNIT).saturating_sub(memory.num_permits());
            memory.merge(self.take(missing * UNIT).await?);
            bytes.extend_from_slice(&data);
        }
        Ok(Received { bytes, _memory: memory })
    }

    /// The semaphore is never closed, so it is only a size beyond reason that fails.
    async fn take(&self, bytes: usize) -> Result<SemaphorePermit<'_>, Refusal> {
        let permits = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| Refusal::TooLarge)?;
        self.0.acquire_many(permits).await.map_err(|_| Refusal::Broken)
    }
}

async fn discard(mut body: Incoming, mut length: usize) -> Refusal {
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, |data| data.len());
        if length > DISCARDED {
            break;
        }
    }
    Refusal::TooLarge
}
