//! Admission reviews at the webhook, 16 at once over TLS with keep-alive.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use app_health_tests::api_server::{Connection, Failure, Http};
use app_health_tests::authority::Authority;
use hyper::body::Bytes;
use tokio::time::sleep_until;

const CONNECTIONS: u32 = 16;
const LENGTH: Duration = Duration::from_secs(1);

/// How fast reviews are sent.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// On each connection the next as soon as one is answered.
    Top,
    /// So many a second in all, however long the answers take.
    PerSecond(f64),
}

/// What a second of it came to.
#[derive(Clone, Debug)]
pub struct Answers {
    /// How long each review took, in milliseconds, sorted. Of a paced one from when it was due,
    /// which the timer may miss by 1 ms.
    pub times: Vec<f64>,
    /// Answers a second.
    pub rate: f64,
}

/// Where the webhook is, whom to trust, and what it is asked.
pub struct Client<'a> {
    to: SocketAddr,
    authority: &'a Authority,
    review: Bytes,
}

impl<'a> Client<'a> {
    /// Trusts this authority.
    pub fn new(to: SocketAddr, authority: &'a Authority, review: String) -> Self {
        Self { to, authority, review: review.into() }
    }

    /// One second at this pace.
    ///
    /// # Errors
    /// A review that is not answered.
    pub async fn send(&self, pace: Pace) -> Result<Answers, Failure> {
        let mut senders = Vec::new();
        for _ in 0..CONNECTIONS {
            senders.push(Connection::open(self.to, self.authority, Http::Two).await?);
        }
        let begin = Instant::now();
        let schedules = (0..CONNECTIONS).map(|number| Schedule::new(pace, begin, number));
        let loads = senders.into_iter().zip(schedules);
        let tasks = loads.map(|(sender, at)| tokio::spawn(send(sender, self.review.clone(), at)));
        let mut times = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            times.extend(task.await.expect("no panic")?);
        }
        times.sort_by(f64::total_cmp);
        let rate = times.len() as f64 / begin.elapsed().as_secs_f64();
        Ok(Answers { times, rate })
    }
}

/// When one connection sends.
struct Schedule {
    end: Instant,
    due: Instant,
    pause: Option<Duration>,
}

impl Schedule {
    /// Connections that are paced begin one after the other.
    fn new(pace: Pace, begin: Instant, number: u32) -> Self {
        let pause = match pace {
            Pace::Top => None,
            Pace::PerSecond(rate) => {
                Some(Duration::from_secs(1).mul_f64(f64::from(CONNECTIONS) / rate))
            }
        };
        let first = pause.unwrap_or_default() * number / CONNECTIONS;
        Self { end: begin + LENGTH, due: begin + first, pause }
    }

    /// When the next review has to be sent, or had to be: one that waited for the one before is as
    /// late as it is.
    fn next(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let next = self.pause.map_or(now, |_| self.due);
        self.due += self.pause.unwrap_or_default();
        (next.max(now) < self.end).then_some(next)
    }
}

async fn send(
    mut connection: Connection,
    review: Bytes,
    mut schedule: Schedule,
) -> Result<Vec<f64>, Failure> {
    let mut times = Vec::new();
    while let Some(due) = schedule.next() {
        sleep_until(due.into()).await;
        let answer = connection.post(review.clone()).await?;
        assert_eq!(answer.status, 200, "{}", answer.body);
        times.push(due.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paced_connection_sends_at_its_own_times() {
        let begin = Instant::now();
        // 32 a second over 16 connections: each every 500 ms, the ninth from 250 ms on.
        let mut schedule = Schedule::new(Pace::PerSecond(32.0), begin, 8);
        let times = std::iter::from_fn(|| schedule.next()).map(|due| due - begin);
        assert_eq!(times.collect::<Vec<_>>(), [250, 750].map(Duration::from_millis));
    }

    #[test]
    fn a_late_connection_catches_up_until_the_end() {
        let begin = Instant::now() - Duration::from_millis(600);
        let mut schedule = Schedule::new(Pace::PerSecond(160.0), begin, 0);
        assert_eq!(schedule.next(), Some(begin));
        assert_eq!(schedule.next(), Some(begin + Duration::from_millis(100)));
        let mut over = Schedule::new(Pace::Top, begin - LENGTH, 0);
        assert_eq!(over.next(), None);
    }
}
