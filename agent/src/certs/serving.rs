//! The serving certificate that a Secret holds: whether it stays.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};
use time::OffsetDateTime;

use crate::webhook::certificate::{Contents, Pair, Problem, Validity};

/// What becomes of it.
pub enum Serving {
    /// It stays.
    Stays(Validity),
    /// It is of the CA, but its time is over, or no more than a third of it is left. Why.
    Ends(String),
    /// It is none that could be served with. Why.
    Unusable(String),
}

/// Judges it as the API server would, by this CA for this host, only earlier.
///
/// # Errors
/// It is somebody else's: the CA has not signed it.
pub fn judge(
    contents: &Contents,
    ca: &str,
    host: &str,
    now: OffsetDateTime,
) -> Result<Serving, String> {
    let pair = match contents.pair() {
        Ok(pair) => pair,
        Err(Problem::Certificate(problem)) => {
            return Ok(Serving::Unusable(format!("tls.crt: {problem}")));
        }
        Err(Problem::Key(problem)) => return Ok(Serving::Unusable(format!("tls.key: {problem}"))),
    };
    // Whose it is, its age does not change.
    match verify(&pair, ca, host, pair.validity.begins) {
        Err(Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => {
            Err("tls.crt: not signed by its ca.crt (\"\" in its place has it replaced)".to_owned())
        }
        Err(error) => Ok(Serving::Unusable(format!("tls.crt: {error}"))),
        Ok(()) => Ok(match why_too_old(pair.validity, now) {
            Some(why) => Serving::Ends(why),
            None => Serving::Stays(pair.validity),
        }),
    }
}

fn why_too_old(validity: Validity, now: OffsetDateTime) -> Option<String> {
    let Validity { begins, expires } = validity;
    let is_old = (expires - now) * 3 <= expires - begins;
    let old = || "no more than a third of its life is left".to_owned();
    validity.problem(now).map(|problem| format!("it {problem}")).or_else(|| is_old.then(old))
}

fn verify(pair: &Pair, ca: &str, host: &str, now: OffsetDateTime) -> Result<(), Error> {
    let general = |error: &dyn ToString| Error::General(error.to_string());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).map_err(|error| general(&error))?)?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
    let verifier = verifier.build().map_err(|error| general(&error))?;
    let host = ServerName::try_from(host).map_err(|error| general(&error))?;
    let now = Duration::from_secs(now.unix_timestamp().try_into().unwrap_or_default());
    let (first, rest) = pair.certified.cert.split_first().ok_or(Error::NoCertificatesPresented)?;
    let now = UnixTime::since_unix_epoch(now);
    verifier.verify_server_cert(first, rest, &host, &[], now).map(drop)
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::super::authority::{Authority, BACKDATED};
    use super::*;

    #[test]
    fn it_stays_until_a_third_of_its_life_is_left() {
        let begins = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let authority = Authority::new(begins).unwrap();
        // Ninety hours in all.
        let valid = Duration::hours(90) - BACKDATED;
        let contents = authority.sign(&["a.b.svc".to_owned()], begins, valid).unwrap();
        let judge = |host, left: Duration| {
            let now = begins + valid - left;
            match judge(&contents, authority.certificate(), host, now).unwrap() {
                Serving::Stays(_) => String::new(),
                Serving::Ends(why) | Serving::Unusable(why) => why,
            }
        };
        for (left, why) in [
            (valid, ""),
            (Duration::hours(30) + Duration::SECOND, ""),
            (Duration::hours(30), "no more than a third"),
            (Duration::SECOND, "no more than a third"),
            (-Duration::SECOND, "expired"),
        ] {
            let actual = judge("a.b.svc", left);
            assert!(
                actual.contains(why) && actual.is_empty() == why.is_empty(),
                "{left}: {actual}"
            );
        }
        assert!(judge("b.b.svc", valid).contains("not valid for name"));
    }
}
