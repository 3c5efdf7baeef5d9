//! When to say that the certificate expires.

use time::{Duration, OffsetDateTime};

use crate::logger::timestamp;

/// From when on it is said.
const NOTICE: Duration = Duration::days(7);

/// How often it is said again.
const AGAIN: Duration = Duration::hours(6);

/// Whether, and when last, the expiry of the current certificate was logged.
#[derive(Default)]
pub struct Notices {
    last: Option<OffsetDateTime>,
}

impl Notices {
    /// What to say now of a certificate that expires then.
    pub fn due(&mut self, now: OffsetDateTime, expires: OffsetDateTime) -> Option<String> {
        let early = expires - now > NOTICE;
        if early || self.last.is_some_and(|last| now - last < AGAIN) {
            return None;
        }
        self.last = Some(now);
        let at = timestamp(expires);
        Some(if expires <= now {
            format!("the certificate expired at {at}: the API server does not take it any more")
        } else {
            format!("the certificate expires at {at}: renew it")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_from_seven_days_before_and_not_all_the_time() {
        let expires = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let mut notices = Notices::default();
        for (before, says) in [
            (Duration::days(90), None),
            (Duration::days(7) + Duration::SECOND, None),
            (Duration::days(7), Some("expires at 2027-01-15T08:00:00.000Z: renew")),
            (Duration::days(7) - Duration::SECOND, None),
            (Duration::days(7) - Duration::hours(6), Some("expires at")),
            (Duration::SECOND, Some("expires at")),
            (Duration::ZERO, None),
            (-Duration::hours(6), Some("expired at 2027-01-15T08:00:00.000Z")),
        ] {
            let said = notices.due(expires - before, expires);
            assert_eq!(said.is_some(), says.is_some(), "{before}");
            assert!(said.unwrap_or_default().contains(says.unwrap_or_default()), "{before}");
        }
    }
}
