//! The CAs of which the API server takes certificates of a webhook.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// What a webhook's caBundle has to become so that it holds this CA; `None` where it may stay. The
/// CAs beside it stay until nothing is served with a certificate of theirs any more.
pub fn with(bundle: &[u8], ca: &str, alone: bool) -> Option<String> {
    let wanted = certificates(ca.as_bytes());
    let there = certificates(bundle);
    let is_there = wanted.iter().all(|it| there.contains(it));
    let alone = alone && is_there;
    if is_there && (!alone || there == wanted) {
        return None;
    }
    // What the API server cannot read would have it take no certificate at all.
    let others = if there.is_empty() || alone { "" } else { str::from_utf8(bundle).unwrap_or("") };
    let end = if others.is_empty() || others.ends_with('\n') { "" } else { "\n" };
    Some(format!("{others}{end}{ca}"))
}

/// Whether it has CAs, and not this one.
pub fn is_of_others(bundle: &[u8], ca: &str) -> bool {
    let there = certificates(bundle);
    !there.is_empty() && !certificates(ca.as_bytes()).iter().all(|it| there.contains(it))
}

/// All in PEM; none where a part of it is broken.
fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::super::authority::Authority;
    use super::*;

    fn ca() -> String {
        Authority::new(OffsetDateTime::now_utc()).unwrap().certificate().to_owned()
    }

    #[test]
    fn other_cas_stay_until_this_one_serves_alone() {
        let (ours, other) = (ca(), ca());
        let both = format!("{other}{ours}");
        let cut_off = &other[..100];
        for (bundle, alone, expected) in [
            ("", false, Some(ours.as_str())),
            (&ours, false, None),
            (&other, false, Some(&both)),
            (other.trim_end(), false, Some(&both)),
            (&both, false, None),
            ("no PEM", false, Some(&ours)),
            (cut_off, false, Some(&ours)),
            ("", true, Some(&ours)),
            (&ours, true, None),
            (&other, true, Some(&both)),
            (&both, true, Some(&ours)),
        ] {
            let actual = with(bundle.as_bytes(), &ours, alone);
            assert_eq!(actual.as_deref(), expected, "{bundle} {alone}");
        }
    }
}
