//! The CA, new or kept, and what it signs.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::logger::timestamp;
use crate::webhook::certificate::{Contents, Validity};

/// Ten years: what trusts it is replaced with it.
const LIFETIME: Duration = Duration::days(3650);

/// Clocks differ.
pub const BACKDATED: Duration = Duration::DAY;

/// So long before the end it is said, for nothing makes another one by itself.
const NEAR: Duration = Duration::days(30);

/// A CA and its key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    validity: Validity,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new(now: OffsetDateTime) -> Result<Self, String> {
        let mut params = params("app-health webhook CA", now, now + LIFETIME);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let new = || {
            let key = KeyPair::generate()?;
            let certificate = params.self_signed(&key)?.pem();
            Ok((key, certificate))
        };
        let (key, certificate) = new().map_err(|error: rcgen::Error| error.to_string())?;
        let validity = Validity { begins: params.not_before, expires: params.not_after };
        Ok(Self { issuer: Issuer::new(params, key), certificate, validity })
    }

    /// One that is there, in PEM.
    ///
    /// # Errors
    /// One line that names the part that cannot be used.
    pub fn kept(certificate: String, key: &str) -> Result<Self, String> {
        let key =
            KeyPair::from_pem(key).map_err(|error| format!("ca.key: no key in PKCS#8: {error}"))?;
        let (_, pem) = x509_parser::pem::parse_x509_pem(certificate.as_bytes())
            .map_err(|error| format!("ca.crt: no certificate in PEM: {error}"))?;
        let (_, parsed) = X509Certificate::from_der(&pem.contents)
            .map_err(|error| format!("ca.crt: no X.509 certificate: {error}"))?;
        if !parsed.is_ca() {
            return Err("ca.crt: not the certificate of a CA".to_owned());
        }
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err("ca.key: does not fit ca.crt".to_owned());
        }
        let validity = Validity::of_one(&pem.contents.as_slice().into())?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key)
            .map_err(|error| format!("ca.crt: {error}"))?;
        Ok(Self { issuer, certificate, validity })
    }

    /// Its certificate, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Until when it may sign.
    pub fn expires(&self) -> OffsetDateTime {
        self.validity.expires
    }

    /// Why another one is needed, now or soon.
    pub fn problem(&self, now: OffsetDateTime) -> Option<String> {
        let Validity { expires, .. } = self.validity;
        let ends = || format!("ends at {}", timestamp(expires));
        let is_near = expires - now < NEAR;
        self.validity.problem(now).or_else(|| is_near.then(ends)).map(another)
    }

    /// Its private key, in PEM.
    pub fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A certificate for a server of these names, valid for so long, but no longer than the CA.
    ///
    /// # Errors
    /// The CA is not valid now; or the names are none.
    pub fn sign(
        &self,
        names: &[String],
        now: OffsetDateTime,
        valid: Duration,
    ) -> Result<Contents, String> {
        if let Some(problem) = self.validity.problem(now) {
            return Err(another(problem));
        }
        let not_after = self.validity.expires.min(now + valid);
        let mut params = params("app-health webhook", now, not_after);
        params.subject_alt_names = CertificateParams::new(names)
            .map_err(|error| format!("{}: {error}", names.join(", ")))?
            .subject_alt_names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let new = || {
            let key = KeyPair::generate()?;
            let certificate = params.signed_by(&key, &self.issuer)?.pem().into_bytes();
            Ok(Contents { certificate, key: key.serialize_pem().into_bytes() })
        };
        new().map_err(|error: rcgen::Error| error.to_string())
    }
}

fn another(problem: String) -> String {
    format!("the CA {problem}: make another (envoy-config/webhook/README.md, Another CA)")
}

fn params(name: &str, now: OffsetDateTime, not_after: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = now - BACKDATED;
    params.not_after = not_after;
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outlives_its_ca() {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let authority = Authority::new(now).unwrap();
        let names = ["a.b".to_owned()];
        for (later, days, valid) in [(0, 365, 365), (3600, 365, 50), (3649, 1, 1)] {
            let now = now + Duration::days(later);
            let signed = authority.sign(&names, now, Duration::days(days)).unwrap();
            let (_, pem) = x509_parser::pem::parse_x509_pem(&signed.certificate).unwrap();
            let expires = pem.parse_x509().unwrap().validity().not_after.to_datetime();
            assert_eq!(expires - now, Duration::days(valid));
        }
        for (now, says) in [
            (now + LIFETIME, "the CA expired at 2037-01-12T08:00:00.000Z: make another"),
            (
                now - Duration::hours(25),
                "the CA is not valid before 2027-01-14T08:00:00.000Z: make",
            ),
        ] {
            let error = authority.sign(&names, now, Duration::DAY).err().unwrap();
            assert!(error.starts_with(says), "{error}");
        }
    }
}
