//! Who is connected, and who only waits: a client that sends nothing, a byte a second, or no
//! further request must not keep others out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How many connections, and how long they may wait.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Open at once.
    pub open: usize,
    /// Of the open ones, those that have sent no request yet, or no other one.
    pub waiting: usize,
    /// The time to send the first request's head.
    pub first_request: Duration,
    /// The time to send another one. Longer than a client keeps an idle connection, so that it is
    /// the client who closes: closed from here, it might be in use again at that moment.
    pub next_request: Duration,
}

/// All connections. A connection waits from its start, or the end of a request, until the head of
/// its next request has been read. Only waiting ones are ever closed from here.
pub struct Connections {
    bounds: Bounds,
    state: Mutex<State>,
    /// One has gone, or is busy no more.
    changed: Notify,
}

#[derive(Default)]
struct State {
    open: usize,
    opened: u64,
    draining: bool,
    /// Oldest first.
    waiting: Vec<Waiting>,
    /// Told to close, and not yet gone.
    closing: Vec<u64>,
}

struct Waiting {
    number: u64,
    served: bool,
    since: Instant,
    close: Arc<Notify>,
}

/// One open connection's place. Dropping it gives the place to another.
pub struct Connection {
    all: Arc<Connections>,
    number: u64,
    close: Arc<Notify>,
    /// Requests under way: HTTP/2 has several at once.
    busy: AtomicUsize,
}

/// A request under way. Dropping the last of them it lets the connection wait again.
pub struct Busy<'a>(&'a Connection);

impl Connections {
    /// None are open yet.
    pub fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { bounds, state: Mutex::default(), changed: Notify::new() })
    }

    /// A place for a new connection, at the cost of the one that waits longest. Where all are
    /// busy: once one of them is no more.
    pub async fn open(self: &Arc<Self>) -> Connection {
        while self.is_full() {
            self.state().make_room();
            self.changed.notified().await;
        }
        let close = Arc::new(Notify::new());
        let mut state = self.state();
        state.open += 1;
        state.opened += 1;
        let number = state.opened;
        drop(state);
        self.wait(number, false, &close);
        Connection { all: Arc::clone(self), number, close, busy: AtomicUsize::new(0) }
    }

    /// Closes those that have waited too long.
    pub fn close_overdue(&self) {
        self.state().close_where(|waiting| {
            let Bounds { first_request, next_request, .. } = self.bounds;
            let most = if waiting.served { next_request } else { first_request };
            waiting.since.elapsed() >= most
        });
    }

    /// From now on no connection waits. Returns how many are still busy.
    pub fn drain(&self) -> usize {
        let mut state = self.state();
        state.draining = true;
        let idle = state.waiting.len();
        state.close_where(|_| true);
        state.open - idle
    }

    /// Whether [`Connections::drain`] was called: answers then say `Connection: close`.
    pub fn is_draining(&self) -> bool {
        self.state().draining
    }

    /// Waits until none is open.
    pub async fn empty(&self) {
        while self.state().open > 0 {
            self.changed.notified().await;
        }
    }

    fn wait(&self, number: u64, served: bool, close: &Arc<Notify>) {
        let mut state = self.state();
        if state.waiting.len() >= self.bounds.waiting {
            state.close_oldest();
        }
        let close = Arc::clone(close);
        state.waiting.push(Waiting { number, served, since: Instant::now(), close });
    }

    fn is_full(&self) -> bool {
        self.state().open >= self.bounds.open
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Of those that never sent a request and those that did, the kind that is more numerous
    /// loses its oldest: neither can crowd the other out. So a flood of silent clients does not
    /// cost Envoy its idle connections, nor a flood of idle ones a newcomer the time to speak.
    fn close_oldest(&mut self) {
        let silent = self.waiting.iter().filter(|waiting| !waiting.served).count();
        let served = silent < self.waiting.len() - silent;
        if let Some(oldest) = self.waiting.iter().position(|waiting| waiting.served == served) {
            let closed = self.waiting.remove(oldest);
            self.closing.push(closed.number);
            closed.close.notify_one();
        }
    }

    /// For one newcomer one place is enough.
    fn make_room(&mut self) {
        if self.closing.is_empty() {
            self.close_oldest();
        }
    }

    fn close_where(&mut self, which: impl Fn(&Waiting) -> bool) {
        for closed in self.waiting.extract_if(.., |waiting| which(waiting)) {
            self.closing.push(closed.number);
            closed.close.notify_one();
        }
    }

    fn stop_waiting(&mut self, number: u64) {
        self.waiting.retain(|waiting| waiting.number != number);
    }
}

impl Connection {
    /// Returns when this connection has to be closed. It waits then, for sure.
    pub async fn closed(&self) {
        self.close.notified().await;
    }

    /// A request's head has been read.
    pub fn busy(&self) -> Busy<'_> {
        if self.busy.fetch_add(1, Ordering::Relaxed) == 0 {
            self.all.state().stop_waiting(self.number);
        }
        Busy(self)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let Connection { all, number, close, busy } = self.0;
        if busy.fetch_sub(1, Ordering::Relaxed) == 1 {
            all.wait(*number, true, close);
            all.changed.notify_one();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut state = self.all.state();
        state.stop_waiting(self.number);
        state.closing.retain(|number| *number != self.number);
        state.open -= 1;
        drop(state);
        self.all.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;
    use tokio::time::timeout;

    use super::*;

    const FIRST: Duration = Duration::from_secs(5);
    const NEXT: Duration = Duration::from_secs(30);

    fn limited(open: usize, waiting: usize) -> Arc<Connections> {
        Connections::new(Bounds { open, waiting, first_request: FIRST, next_request: NEXT })
    }

    /// Whether it has been told to close.
    async fn told(connection: &Connection) -> bool {
        tokio::select! {
            biased;
            () = connection.closed() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn too_many_waiting_cost_the_larger_kind_its_oldest() {
        for (served, closed) in [
            ([false, false, false], 0),
            ([true, false, false], 1),
            ([false, true, false], 0),
            ([false, true, true], 1),
            ([true, true, true], 0),
        ] {
            let all = limited(9, 3);
            let mut open = Vec::new();
            for served in served {
                let connection = all.open().await;
                if served {
                    drop(connection.busy());
                }
                open.push(connection);
            }
            open.push(all.open().await);
            for (number, connection) in open.iter().enumerate() {
                assert_eq!(told(connection).await, number == closed, "{served:?}: {number}");
            }
        }
    }

    #[tokio::test]
    async fn a_busy_one_is_never_closed() {
        let all = limited(9, 1);
        let asking = all.open().await;
        let busy = asking.busy();
        let others = [all.open().await, all.open().await];
        assert!(!told(&asking).await && told(&others[0]).await);
        assert_eq!(all.drain(), 2, "the one told to close is not yet gone");
        drop(busy);
        assert!(!told(&asking).await);
    }

    #[tokio::test]
    async fn it_is_busy_until_the_last_of_its_requests_ends() {
        let all = limited(9, 1);
        let asking = all.open().await;
        let (first, second) = (asking.busy(), asking.busy());
        drop(first);
        all.open().await;
        assert!(!told(&asking).await);
        drop(second);
        let _other = all.open().await;
        assert!(told(&asking).await);
    }

    #[tokio::test]
    async fn a_place_is_free_when_one_has_gone() {
        let all = limited(1, 1);
        let one = all.open().await;
        let busy = one.busy();
        let mut next = Box::pin(all.open());
        let waits = std::future::poll_fn(|cx| std::task::Poll::Ready(next.as_mut().poll(cx)));
        assert!(waits.await.is_pending());
        drop(busy);
        drop(one);
        next.await;
        all.empty().await;
    }

    #[tokio::test]
    async fn a_full_house_makes_room_by_closing_one_that_waits() {
        let all = limited(1, 1);
        let one = all.open().await;
        let (start, started) = tokio::sync::oneshot::channel();
        let asks = async move {
            let busy = one.busy();
            let _ = start.send(());
            // The newcomer finds all of them busy.
            yield_now().await;
            drop(busy);
            one.closed().await;
        };
        let comes = async {
            started.await.unwrap();
            all.open().await
        };
        let both = async { tokio::join!(asks, comes) };
        timeout(Duration::from_secs(10), both).await.expect("there is room");
    }

    #[tokio::test]
    async fn a_newcomer_costs_a_full_house_one_of_those_that_wait() {
        let all = limited(3, 3);
        let open = [all.open().await, all.open().await, all.open().await];
        let busy = open[2].busy();
        let mut next = Box::pin(all.open());
        let mut comes = async || {
            std::future::poll_fn(|cx| std::task::Poll::Ready(next.as_mut().poll(cx).is_ready()))
                .await
        };
        assert!(!comes().await);
        drop(busy);
        assert!(!comes().await);
        assert!(told(&open[0]).await && !told(&open[1]).await && !told(&open[2]).await);
        let [first, ..] = open;
        drop(first);
        assert!(comes().await);
    }

    #[test]
    fn overdue_ones_are_closed() {
        let all = limited(9, 9);
        let state = || all.state();
        for (number, served, age) in
            [(1, false, FIRST), (2, false, FIRST / 2), (3, true, FIRST), (4, true, NEXT)]
        {
            all.wait(number, served, &Arc::default());
            let since = Instant::now().checked_sub(age).unwrap();
            state().waiting.last_mut().unwrap().since = since;
        }
        all.close_overdue();
        assert_eq!(state().waiting.iter().map(|w| w.number).collect::<Vec<_>>(), [2, 3]);
    }
}
