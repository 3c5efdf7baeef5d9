//! A request's body: so large, so slow, and so much of all bodies together.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, Interval, interval, timeout};

use super::memory::{Memory, Share};

/// An object in etcd has 1.5 MiB, a request to the API server 3 MiB at most, and the review of a
/// new pod holds it once.
pub const LARGEST: usize = 4 << 20;

/// The time for all of it, that for memory included. Less than the 10 s that any client may take,
/// so that its answer and the end of its connection fit in.
const SLOWEST: Duration = Duration::from_secs(9);

/// The time that its sender may take of that while others wait for memory.
const SLOWEST_IN_NEED: Duration = Duration::from_secs(2);

/// How often it is seen whether others wait.
const LOOK: Duration = Duration::from_millis(250);

/// What is read of a body that is too large, so that its sender gets to read the answer.
const DISCARDED: usize = 64 << 20;

/// A body that has been read; its memory is given back when it is dropped.
pub struct Received<'a> {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Where the memory for its answer is.
    pub share: &'a Share,
    /// Its own memory.
    pub memory: Option<SemaphorePermit<'a>>,
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
    /// Reads a body.
    ///
    /// # Errors
    /// It is too large, or does not come in time.
    pub async fn read(&self, body: Incoming) -> Result<Received<'_>, Refusal> {
        timeout(SLOWEST, self.read_all(body)).await.unwrap_or(Err(Refusal::TooSlow))
    }

    /// Memory is taken when the first bytes come: announcing them costs a client nothing.
    async fn read_all(&self, mut body: Incoming) -> Result<Received<'_>, Refusal> {
        // One whose length is not announced may become as large as any.
        let length = body.size_hint().exact().map_or(LARGEST, |length| length as usize);
        if length > LARGEST {
            return Err(discard(body, 0).await);
        }
        let share = self.share(length);
        let mut sender = Sender::new(share);
        let mut received = Received { bytes: Vec::new(), share, memory: None };
        while let Some(data) = sender.next(&mut body).await? {
            if received.bytes.len() + data.len() > LARGEST {
                drop(received);
                return Err(discard(body, LARGEST).await);
            }
            if received.memory.is_none() {
                received.memory = share.body(length).await;
                received.bytes.reserve_exact(length);
            }
            received.bytes.extend_from_slice(&data);
        }
        Ok(received)
    }
}

/// Who sends a body, and the time that it took so far.
struct Sender<'a> {
    share: &'a Share,
    took: Duration,
    looks: Interval,
}

impl<'a> Sender<'a> {
    fn new(share: &'a Share) -> Self {
        Self { share, took: Duration::ZERO, looks: interval(LOOK) }
    }

    /// The next piece; `None` at the end. What is there is taken, however long it took.
    async fn next<B>(&mut self, body: &mut B) -> Result<Option<Bytes>, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let began = Instant::now();
        loop {
            tokio::select! {
                biased;
                frame = body.frame() => {
                    let Some(frame) = frame else { return Ok(None) };
                    if let Ok(data) = frame.map_err(|_| Refusal::Broken)?.into_data() {
                        self.took += began.elapsed();
                        return Ok(Some(data));
                    }
                }
                _ = self.looks.tick() => {
                    if self.took + began.elapsed() > SLOWEST_IN_NEED && self.share.is_scarce() {
                        return Err(Refusal::TooSlow);
                    }
                }
            }
        }
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body_util::Full;
    use hyper::body::Frame;

    use super::*;

    /// Of which nothing more comes.
    struct Stalled;

    impl Body for Stalled {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn who_was_slow_loses_what_is_not_whole_and_only_that() {
        let memory = Memory::new();
        let share = memory.share(LARGEST);
        let _all = share.body(3 * LARGEST).await;
        let slow = || Sender { took: SLOWEST_IN_NEED * 2, ..Sender::new(share) };
        let (mut sender, mut body) = (slow(), Full::from("the rest"));
        assert_eq!(sender.next(&mut body).await, Ok(Some(Bytes::from("the rest"))));
        assert_eq!(sender.next(&mut body).await, Ok(None));
        assert_eq!(slow().next(&mut Stalled).await, Err(Refusal::TooSlow));
    }
}
