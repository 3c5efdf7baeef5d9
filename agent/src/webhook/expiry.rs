//! When to say that the certificate expires.

use time::{Duration, OffsetDateTime};

use super::certificate::Validity;
use crate::logger::timestamp;

/// How often it is said again.
const AGAIN: Duration = Duration::days(1);

/// When last the expiry of the current certificate was logged, and whether it had expired then.
#[derive(Default)]
pub struct Notices {
    last: Option<(OffsetDateTime, bool)>,
}

impl Notices {
    /// What to say now of a certificate: from when less than a sixth of its life is left. By then
    /// whatever renews it has failed for long.
    pub fn due(&mut self, now: OffsetDateTime, validity: Validity) -> Option<String> {
        let Validity { begins, expires } = validity;
        let has_expired = expires <= now;
        let is_early = (expires - now) * 6 >= expires - begins;
        let is_said = |(at, said)| said == has_expired && now - at < AGAIN;
        if is_early || self.last.is_some_and(is_said) {
            return None;
        }
        self.last = Some((now, has_expired));
        let at = timestamp(expires);
        Some(if has_expired {
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
    fn it_is_said_in_the_last_sixth_of_its_life_once_a_day() {
        let expires = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let validity = Validity { begins: expires - Duration::days(90), expires };
        let mut notices = Notices::default();
        for (before, says) in [
            (Duration::days(90), None),
            (Duration::days(15), None),
            (
                Duration::days(15) - Duration::SECOND,
                Some("expires at 2027-01-15T08:00:00.000Z: renew"),
            ),
            (Duration::days(14), None),
            (Duration::days(14) - Duration::SECOND, Some("expires at")),
            (Duration::SECOND, Some("expires at")),
            (Duration::ZERO, Some("expired at 2027-01-15T08:00:00.000Z")),
            (-Duration::days(1) + Duration::SECOND, None),
            (-Duration::days(1), Some("expired at")),
        ] {
            let said = notices.due(expires - before, validity);
            assert_eq!(said.is_some(), says.is_some(), "{before}");
            assert!(said.unwrap_or_default().contains(says.unwrap_or_default()), "{before}");
        }
    }
}
