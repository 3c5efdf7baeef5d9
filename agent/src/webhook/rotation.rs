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

use super::certificate::{Contents, Files, Pair, Validity};
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
    /// Of the pair that is served with.
    contents: Contents,
    validity: Validity,
    notices: Notices,
    /// Why the files hold no replacement, as it was logged.
    problem: Option<String>,
}

impl Rotation {
    /// Reads the first pair.
    ///
    /// # Errors
    /// One line that names the flag and the file.
    pub fn new(files: Files) -> Result<Self, String> {
        let contents = files.read()?;
        let pair = files.pair(&contents)?;
        let (now, validity) = (OffsetDateTime::now_utc(), pair.validity);
        // The notices tell of one that has expired.
        if let Some(problem) = validity.problem(now).filter(|_| now < validity.expires) {
            log::warn!(
                "{}: served all the same, for want of another",
                files.about_certificate(&problem)
            );
        }
        let current = Arc::new(Current(Mutex::new(pair.certified)));
        Ok(Self { files, current, contents, validity, notices: Notices::default(), problem: None })
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

    /// When the certificate is valid that is served with.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Looks at the files for ever.
    pub async fn watch(mut self, metrics: &Metrics) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = OffsetDateTime::now_utc();
            if let Some(notice) = self.notices.due(now, self.validity) {
                log::warn!("{notice}");
            }
            ticks.tick().await;
            self.look();
            metrics.serves(self.validity);
        }
    }

    fn look(&mut self) {
        let problem = self.follow(OffsetDateTime::now_utc()).err();
        if let Some(new) = problem.as_ref().filter(|_| problem != self.problem) {
            log::error!("{new}; the certificate that was loaded stays");
        }
        self.problem = problem;
    }

    /// Serves with what the files hold. Each look judges it anew: what clients do not take yet, they
    /// take later.
    fn follow(&mut self, now: OffsetDateTime) -> Result<(), String> {
        let contents = self.files.read()?;
        if contents == self.contents {
            return Ok(());
        }
        let pair = self.files.pair(&contents)?;
        let (old, new) = (self.validity.problem(now), pair.validity.problem(now));
        if let (None, Some(problem)) = (old, new) {
            // No replacement for one that clients take.
            return Err(self.files.about_certificate(&problem));
        }
        self.contents = contents;
        self.replace(pair);
        Ok(())
    }

    fn replace(&mut self, pair: Pair) {
        *self.current.0.lock().unwrap_or_else(PoisonError::into_inner) = pair.certified;
        self.validity = pair.validity;
        self.notices = Notices::default();
        let expires = crate::logger::timestamp(self.validity.expires);
        log::info!("new certificate, which expires at {expires}");
    }
}
