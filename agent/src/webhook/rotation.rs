//! The certificate that is served with, and its replacement while requests go on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};

use super::certificate::{Contents, Files, Pair};
use super::expiry::Notices;
use super::metrics::Metrics;

/// How often the files are looked at. Their content decides, not their time: a Secret is swapped
/// by symlinks.
const LOOK: Duration = Duration::from_secs(1);

/// The certificate for new connections.
#[derive(Debug)]
struct Current(Mutex<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Watches the files.
pub struct Rotation {
    files: Files,
    current: Arc<Current>,
    /// What was read last, whether it is served with or not.
    seen: Result<Contents, String>,
    begins: OffsetDateTime,
    expires: OffsetDateTime,
    notices: Notices,
}

impl Rotation {
    /// Reads the first pair.
    ///
    /// # Errors
    /// One line that names the flag and the file.
    pub fn new(files: Files) -> Result<Self, String> {
        let contents = files.read()?;
        let pair = files.pair(&contents)?;
        if let Some(problem) = pair.invalid(OffsetDateTime::now_utc()) {
            log::warn!(
                "{}: served all the same, for want of another",
                files.about_certificate(&problem)
            );
        }
        let Pair { certified, begins, expires } = pair;
        let current = Arc::new(Current(Mutex::new(certified)));
        let notices = Notices::default();
        Ok(Self { files, current, seen: Ok(contents), begins, expires, notices })
    }

    /// TLS 1.2 and 1.3, HTTP/2 preferred. Sessions are not resumed: an API server keeps its few
    /// connections, and nothing of a session outlives its certificate.
    ///
    /// # Errors
    /// The cryptography has not what these versions need.
    pub fn config(&self) -> Result<ServerConfig, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let mut config = builder
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Current>::clone(&self.current));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// Looks at the files for ever.
    pub async fn watch(mut self, metrics: &Metrics) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            metrics.certificate_expires(self.expires.unix_timestamp());
            if let Some(notice) = self.notices.due(OffsetDateTime::now_utc(), self.expires) {
                log::warn!("{notice}");
            }
            ticks.tick().await;
            self.look();
        }
    }

    fn look(&mut self) {
        let read = self.files.read();
        if read == self.seen {
            return;
        }
        let pair = match &read {
            Ok(contents) => self.files.pair(contents),
            Err(problem) => Err(problem.clone()),
        };
        match pair.and_then(|pair| self.no_worse(pair, OffsetDateTime::now_utc())) {
            Ok(pair) => self.replace(pair),
            Err(problem) => log::error!("{problem}; the certificate that was loaded stays"),
        }
        self.seen = read;
    }

    /// A pair that clients do not take now is no replacement for one that they take.
    fn no_worse(&self, pair: Pair, now: OffsetDateTime) -> Result<Pair, String> {
        let valid = self.begins <= now && now < self.expires;
        match pair.invalid(now).filter(|_| valid) {
            Some(problem) => Err(self.files.about_certificate(&problem)),
            None => Ok(pair),
        }
    }

    fn replace(&mut self, pair: Pair) {
        *self.current.0.lock().unwrap_or_else(PoisonError::into_inner) = pair.certified;
        (self.begins, self.expires) = (pair.begins, pair.expires);
        self.notices = Notices::default();
        let expires = crate::logger::timestamp(pair.expires);
        log::info!("new certificate, which expires at {expires}");
    }
}
