//! Certificates made in the test, and the folder in which a Secret would put them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

/// The name that clients ask for.
pub const NAME: &str = "webhook.test";

/// An authority, and a folder with a certificate of it.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
    swaps: AtomicUsize,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority =
            Self { issuer, folder: TempDir::new().unwrap(), swaps: AtomicUsize::new(0) };
        authority.swap(Duration::days(90));
        symlink("..data/tls.crt", authority.certificate()).unwrap();
        symlink("..data/tls.key", authority.key()).unwrap();
        authority
    }

    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        roots
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("tls.crt")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.path().join("tls.key")
    }

    /// A new pair that is valid for so long, in the place of the old one, as the kubelet does it:
    /// a new folder, and a symlink renamed over the old one. Its certificate, in DER.
    pub fn swap(&self, valid: Duration) -> Vec<u8> {
        self.swap_between(-Duration::days(1), valid)
    }

    /// The same, valid from then until then.
    pub fn swap_between(&self, from: Duration, until: Duration) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
        params.not_before = OffsetDateTime::now_utc() + from;
        params.not_after = OffsetDateTime::now_utc() + until;
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.put(&certificate.pem(), &key.serialize_pem());
        certificate.der().to_vec()
    }

    /// These two files, swapped in.
    pub fn put(&self, certificate: &str, key: &str) {
        let name = format!("..{}", self.swaps.fetch_add(1, Ordering::Relaxed));
        let folder = self.folder.path().join(&name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("tls.crt"), certificate).unwrap();
        fs::write(folder.join("tls.key"), key).unwrap();
        let (new, data) = (self.path("..new"), self.path("..data"));
        symlink(&name, &new).unwrap();
        fs::rename(new, data).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}
