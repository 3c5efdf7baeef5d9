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
    /// A new one is needed. Why.
    Ends(String),
}

/// Judges it as the API server would, by this CA for this host; only earlier: once no more than a
/// third of its life is left.
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
            return Ok(Serving::Ends(format!("tls.crt: {problem}")));
        }
        Err(Problem::Key(problem)) => return Ok(Serving::Ends(format!("tls.key: {problem}"))),
    };
    match verify(&pair, ca, host, now) {
        Err(Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => Err("tls.crt: not signed by its ca.crt".to_owned()),
        Err(error) => Ok(Serving::Ends(format!("tls.crt: {error}"))),
        Ok(()) if is_old(pair.validity, now) => {
            Ok(Serving::Ends("no more than a third of its life is left".to_owned()))
        }
        Ok(()) => Ok(Serving::Stays(pair.validity)),
    }
}

fn is_old(Validity { begins, expires }: Validity, now: OffsetDateTime) -> bool {
    (expires - now) * 3 <= expires - begins
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

    use super::super::authority::Authority;
    use super::*;

    #[test]
    fn it_stays_until_a_third_of_its_life_is_left() {
        let begins = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let authority = Authority::new(begins).unwrap();
        // It is backdated by an hour: ninety in all.
        let valid = Duration::hours(89);
        let signed = authority.sign(&["a.b.svc".to_owned()], begins, valid).unwrap();
        let (certificate, key) = (signed.certificate.into_bytes(), signed.key.into_bytes());
        let contents = Contents { certificate, key };
        let judge = |host, left: Duration| {
            let now = begins + valid - left;
            match judge(&contents, authority.certificate(), host, now).unwrap() {
                Serving::Stays(_) => String::new(),
                Serving::Ends(why) => why,
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
