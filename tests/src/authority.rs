//! Certificates made in the test, and the folder in which a Secret would put them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
};
use rustls::RootCertStore;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

/// The name that clients ask for.
pub const NAME: &str = "webhook.test";

const VALID: Duration = Duration::days(90);

/// Who signs certificates.
pub struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl Default for Issuer {
    fn default() -> Self {
        Self::until(10 * VALID)
    }
}

impl Issuer {
    /// One that may sign for so long.
    pub fn until(end: Duration) -> Self {
        Self::with(|params| params.not_after = OffsetDateTime::now_utc() + end)
    }

    /// One that differs by this.
    pub fn with(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        // Another one than the certificates that it signs, which would else count as self-signed.
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        Self(CertifiedIssuer::self_signed(params, key()).expect("a certificate"))
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

impl Issuer {
    /// A certificate for this name, and its key.
    pub fn issue(&self, name: &str) -> (Certificate, KeyPair) {
        self.issue_between(name, -Duration::days(1), VALID)
    }

    /// The same, valid from then until then, counted from now.
    pub fn issue_between(
        &self,
        name: &str,
        from: Duration,
        until: Duration,
    ) -> (Certificate, KeyPair) {
        let (mut params, key) = (CertificateParams::new([name.to_owned()]).expect("a name"), key());
        params.not_before = OffsetDateTime::now_utc() + from;
        params.not_after = OffsetDateTime::now_utc() + until;
        (params.signed_by(&key, &self.0).expect("a certificate"), key)
    }

    /// What it signs with, as a file has it.
    pub fn key(&self) -> String {
        self.0.key().serialize_pem()
    }

    /// Whom to trust, as a file has it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Whom to trust.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("our own certificate");
        roots
    }
}

/// An issuer, and a folder with a certificate of it.
pub struct Authority {
    issuer: Issuer,
    folder: TempDir,
    swaps: AtomicUsize,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = Self { issuer: Issuer::default(), folder, swaps: AtomicUsize::new(0) };
        authority.swap(VALID);
        symlink("..data/tls.crt", authority.certificate()).expect("a link");
        symlink("..data/tls.key", authority.key()).expect("a link");
        authority
    }

    /// Whom to trust.
    pub fn roots(&self) -> RootCertStore {
        self.issuer.roots()
    }

    /// The file of the certificate.
    pub fn certificate(&self) -> PathBuf {
        self.path("tls.crt")
    }

    /// The file of its key.
    pub fn key(&self) -> PathBuf {
        self.path("tls.key")
    }

    /// A new pair that is valid for so long, in the place of the old one, as the kubelet does it:
    /// a new folder, and a symlink renamed over the old one. Its certificate, in DER.
    pub fn swap(&self, valid: Duration) -> Vec<u8> {
        self.swap_between(-Duration::days(1), valid)
    }

    /// The same, valid from then until then.
    pub fn swap_between(&self, from: Duration, until: Duration) -> Vec<u8> {
        let (certificate, key) = self.issuer.issue_between(NAME, from, until);
        self.put(&certificate.pem(), &key.serialize_pem());
        certificate.der().to_vec()
    }

    /// These two files, swapped in.
    pub fn put(&self, certificate: &str, key: &str) {
        let name = format!("..{}", self.swaps.fetch_add(1, Ordering::Relaxed));
        let folder = self.path(&name);
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("tls.crt"), certificate).expect("the certificate is written");
        fs::write(folder.join("tls.key"), key).expect("the key is written");
        let (new, data) = (self.path("..new"), self.path("..data"));
        symlink(&name, &new).expect("a link");
        fs::rename(new, data).expect("the link is renamed");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
