//! The certificate that the webhook serves with.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

/// Whom it names.
pub const NAME: &str = "webhook.test";

/// The pair of files, and who signed it.
pub struct Certificate {
    authority: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

impl Certificate {
    /// A new one.
    pub fn make() -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name.push(DnType::CommonName, "benchmark authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, key()).expect("a certificate");
        let params = CertificateParams::new([NAME.to_owned()]).expect("a name");
        let key = key();
        let certificate = params.signed_by(&key, &authority).expect("a certificate");
        let dir = tempfile::tempdir().expect("a temporary folder");
        let made = Self { authority, dir };
        fs::write(made.file(), certificate.pem()).expect("the certificate is written");
        fs::write(made.key_file(), key.serialize_pem()).expect("the key is written");
        made
    }

    /// Whom to trust.
    pub fn authority(&self) -> CertificateDer<'static> {
        self.authority.der().clone()
    }

    /// The certificate.
    pub fn file(&self) -> PathBuf {
        self.in_dir("tls.crt")
    }

    /// Its key.
    pub fn key_file(&self) -> PathBuf {
        self.in_dir("tls.key")
    }

    fn in_dir(&self, name: &str) -> PathBuf {
        Path::join(self.dir.path(), name)
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
