//! A certificate chain and its key: read from files, checked, and when it expires.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::input;
use crate::logger::{InLine, timestamp};

/// No chain and no key is as large.
const LARGEST: u64 = 1 << 20;

/// How often a pair is read that is swapped meanwhile.
const ATTEMPTS: usize = 3;

/// Where the pair is.
#[derive(Clone, Debug)]
pub struct Files {
    /// `--tls-cert`
    pub certificate: PathBuf,
    /// `--tls-key`
    pub key: PathBuf,
}

/// Chain and key in PEM, as they belong together.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents {
    /// The chain.
    pub certificate: Vec<u8>,
    /// The private key of its first.
    pub key: Vec<u8>,
}

/// Which of the two cannot be used, and why.
pub enum Problem {
    /// The chain.
    Certificate(String),
    /// The key.
    Key(String),
}

/// A pair that can be served with.
pub struct Pair {
    /// For the handshake.
    pub certified: Arc<CertifiedKey>,
    /// When clients take it.
    pub validity: Validity,
}

/// When all certificates of a chain are valid.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    /// When the last of them begins to be.
    pub begins: OffsetDateTime,
    /// When the first of them expires.
    pub expires: OffsetDateTime,
}

impl Validity {
    /// Why clients do not take the chain now.
    pub fn problem(&self, now: OffsetDateTime) -> Option<String> {
        if self.expires <= now {
            Some(format!("expired at {}", timestamp(self.expires)))
        } else if now < self.begins {
            Some(format!("is not valid before {}", timestamp(self.begins)))
        } else {
            None
        }
    }

    fn of(chain: &[CertificateDer<'_>]) -> Result<Self, String> {
        let all = chain.iter().map(Self::of_one).collect::<Result<Vec<_>, _>>()?;
        let both = |a: Self, b: Self| Self {
            begins: a.begins.max(b.begins),
            expires: a.expires.min(b.expires),
        };
        all.into_iter().reduce(both).ok_or_else(|| "no certificate in PEM in it".to_owned())
    }

    /// That of one certificate.
    ///
    /// # Errors
    /// It is none.
    pub fn of_one(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(certificate)
            .map_err(|error| format!("no X.509 certificate: {error}"))?;
        let validity = certificate.validity();
        Ok(Self {
            begins: validity.not_before.to_datetime(),
            expires: validity.not_after.to_datetime(),
        })
    }
}

impl Contents {
    /// A pair, where that is one.
    ///
    /// # Errors
    /// No PEM, no certificate, a key that does not fit.
    pub fn pair(&self) -> Result<Pair, Problem> {
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Problem::Certificate(pem_problem(&error, "certificate")))?;
        let validity = Validity::of(&chain).map_err(Problem::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| Problem::Key(pem_problem(&error, "private key")))?;
        let unfit = |error| Problem::Key(format!("cannot be used with the certificate: {error}"));
        let certified = CertifiedKey::from_der(chain, key, &default_provider()).map_err(unfit)?;
        Ok(Pair { certified: Arc::new(certified), validity })
    }
}

impl Files {
    /// Reads both. A Kubernetes Secret is swapped whole, by a symlink of the folder; where that
    /// happens between the two, they are read again.
    ///
    /// # Errors
    /// One line that names the flag and the file.
    pub fn read(&self) -> Result<Contents, String> {
        let mut certificate = self.read_certificate()?;
        for _ in 1..ATTEMPTS {
            let key = read(&self.key).map_err(|error| self.about_key(&error))?;
            let again = self.read_certificate()?;
            if certificate == again {
                return Ok(Contents { certificate, key });
            }
            certificate = again;
        }
        Err(self.about_certificate("it changes all the time"))
    }

    fn read_certificate(&self) -> Result<Vec<u8>, String> {
        read(&self.certificate).map_err(|error| self.about_certificate(&error))
    }

    /// Makes a pair of what was read.
    ///
    /// # Errors
    /// One line that names the flag and the file: no PEM, no certificate, a key that does not fit.
    pub fn pair(&self, contents: &Contents) -> Result<Pair, String> {
        contents.pair().map_err(|problem| match problem {
            Problem::Certificate(problem) => self.about_certificate(&problem),
            Problem::Key(problem) => self.about_key(&problem),
        })
    }

    /// A line that names the flag and the file.
    pub fn about_certificate(&self, problem: &str) -> String {
        format!("--tls-cert {}: {problem}", InLine(self.certificate.display()))
    }

    fn about_key(&self, problem: &str) -> String {
        format!("--tls-key {}: {problem}", InLine(self.key.display()))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    input::file(path, LARGEST).map_err(|failure| failure.message)
}

fn pem_problem(error: &pem::Error, what: &str) -> String {
    match error {
        pem::Error::NoItemsFound => format!("no {what} in PEM in it"),
        other => format!("no {what} in PEM: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;
    use std::os::unix::fs::symlink;
    use std::process::Command;
    use std::thread;

    use super::*;

    /// The first key is a pipe, by which the moment is known when it is read.
    #[test]
    fn a_pair_that_is_swapped_between_its_files_is_read_again() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, certificate) in [("old", "old certificate"), ("new", "new certificate")] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("tls.crt"), certificate).unwrap();
        }
        let pipe = path("old").join("tls.key");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        fs::write(path("new").join("tls.key"), "new key").unwrap();
        symlink("old", path("data")).unwrap();
        symlink("new", path("next")).unwrap();
        let (next, data) = (path("next"), path("data"));
        let swaps = thread::spawn(move || {
            // Opened once it is read.
            let mut pipe = File::options().write(true).open(pipe).unwrap();
            fs::rename(next, data).unwrap();
            pipe.write_all(b"old key").unwrap();
        });
        let files =
            Files { certificate: path("data").join("tls.crt"), key: path("data").join("tls.key") };
        let read = files.read().unwrap_or_else(|problem| panic!("{problem}"));
        swaps.join().unwrap();
        assert_eq!(
            (&read.certificate[..], &read.key[..]),
            (&b"new certificate"[..], &b"new key"[..])
        );
    }
}
