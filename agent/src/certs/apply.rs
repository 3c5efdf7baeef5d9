//! Brings Secret and configurations into order, in a cluster.
//!
//! Each step leaves behind what works, so that a run may end after any of them, and the next one
//! goes on from there:
//!
//! 1. Where the Secret is empty, it gets a CA, and no certificate yet.
//! 2. Each webhook's caBundle gets that CA, beside those that are in it already.
//! 3. Only then the Secret gets a certificate of it, where one is needed.
//! 4. An hour later every pod serves with that, and the other CAs go.
//!
//! A Secret that was restored is younger than its certificate: where a webhook has other CAs and not that one, the
//! certificate is made anew before the second step.
//!
//! Where a configuration refuses the second step, the others get the CA all the same, and a certificate of
//! that CA is renewed.
//!
//! Each write names the version that was read. Where another run was faster, this one begins anew.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::api::{Api, Stop};
use super::args::CertsArgs;
use super::authority::{Authority, BACKDATED};
use super::secret::{self, RENEW};
use super::serving::{Serving, judge};
use super::sign;
use super::trust::has_others;
use crate::exit::Failure;
use crate::logger::timestamp;
use crate::net::runtime;
use crate::webhook::certificate::{Contents, Validity};

/// How often another run may be faster.
const ATTEMPTS: usize = 10;

/// Long after the kubelet has brought a new certificate to every pod, which takes two minutes at most.
const SETTLED: Duration = Duration::hours(1);

/// A run, and where its Secret is.
pub struct Run<'a> {
    pub args: &'a CertsArgs,
    pub api: Api,
    path: String,
    name: String,
}

/// Until all is in order.
///
/// # Errors
/// Usage or no input where this is no pod, data where the Secret is somebody else's, unreachable where
/// the API server does not do what it is asked for.
pub fn run(args: &CertsArgs) -> Result<(), Failure> {
    let CertsArgs { namespace, secret, .. } = args;
    let run = Run {
        args,
        api: Api::of_pod(&args.service_account)?,
        path: format!("/api/v1/namespaces/{namespace}/secrets/{secret}"),
        name: format!("Secret {namespace}/{secret}"),
    };
    runtime()?.block_on(async {
        for _ in 0..ATTEMPTS {
            match run.once(OffsetDateTime::now_utc()).await {
                Ok(()) => return Ok(()),
                Err(Stop::Failed(failure)) => return Err(failure),
                Err(Stop::Again) => {}
            }
        }
        Err(Failure::unreachable("others change the same objects all the time"))
    })
}

impl Run<'_> {
    async fn once(&self, now: OffsetDateTime) -> Result<(), Stop> {
        let Some(secret) = self.api.get(&self.path).await? else {
            let text = format!("{}: not there: apply it first, empty", self.name);
            return Err(Failure::unreachable(text).into());
        };
        // Before anything is written.
        let configurations = self.configurations().await?;
        let (authority, secret) = self.authority(secret, now).await?;
        let ca = authority.certificate();
        let serving = self.serving(&secret, ca, now)?;
        let made = |it: &Validity| it.begins + BACKDATED;
        let alone = matches!(&serving, Serving::Stays(it) if now - made(it) >= SETTLED);
        if alone && has_others(&configurations, self.args, ca) {
            // So that its age says, to whoever runs next, too, how long pods have had it.
            self.renew(
                &authority,
                secret,
                now,
                "pods may serve by the CA of a caBundle that lacks this one",
            )
            .await?;
            return Err(Stop::Again);
        }
        let trusted = self.trust(configurations, &secret, ca, alone).await;
        if matches!(trusted, Err(Stop::Again)) {
            return trusted;
        }
        match (&trusted, serving) {
            (_, Serving::Stays(it)) => say(&format!(
                "{}: the certificate stays, which expires at {}",
                self.name,
                timestamp(it.expires)
            )),
            // Whoever takes the one that ends takes the new one.
            (_, Serving::Ends(why)) | (Ok(()), Serving::Unusable(why)) => {
                self.renew(&authority, secret, now, &why).await?;
            }
            (Err(_), Serving::Unusable(_)) => {}
        }
        trusted?;
        match authority.problem(now) {
            Some(problem) => Err(Failure::data(problem).of(&self.name).into()),
            None => Ok(()),
        }
    }

    /// The Secret's CA, and the Secret with it.
    async fn authority(
        &self,
        secret: Value,
        now: OffsetDateTime,
    ) -> Result<(Authority, Value), Stop> {
        if !secret::is_empty(&secret) {
            let kept = secret::authority(&secret, self.args);
            let kept = kept.map_err(|problem| self.somebody_elses(&problem))?;
            return Ok((kept, secret));
        }
        let authority = Authority::new(now).map_err(Failure::internal)?;
        let key = authority.key();
        let ca = [("ca.crt", authority.certificate().as_bytes()), ("ca.key", key.as_bytes())];
        let secret = self.put(secret, ca).await?;
        say(&format!("{}: new CA, until {}", self.name, timestamp(authority.expires())));
        Ok((authority, secret))
    }

    /// What becomes of the Secret's certificate.
    fn serving(&self, secret: &Value, ca: &str, now: OffsetDateTime) -> Result<Serving, Failure> {
        let serving = judge(&contents(secret), ca, &self.args.host(), now)
            .map_err(|problem| self.somebody_elses(&problem))?;
        Ok(match serving {
            Serving::Stays(_) if secret::asks_for_another(secret) => {
                Serving::Ends(format!("its annotation {RENEW} asks for it"))
            }
            other => other,
        })
    }

    async fn renew(
        &self,
        authority: &Authority,
        secret: Value,
        now: OffsetDateTime,
        why: &str,
    ) -> Result<(), Stop> {
        let signed = sign(self.args, authority, now).map_err(|failure| failure.of(&self.name))?;
        let pair = [("tls.crt", &*signed.certificate), ("tls.key", &*signed.key)];
        self.put(secret, pair).await?;
        say(&format!("{}: new certificate for {} days, since: {why}", self.name, self.args.days));
        Ok(())
    }

    async fn put(&self, mut secret: Value, parts: [(&str, &[u8]); 2]) -> Result<Value, Stop> {
        for (name, text) in parts {
            secret["data"][name] = STANDARD.encode(text).into();
        }
        secret::has_another(&mut secret);
        self.api.put(&self.path, &secret).await
    }

    /// Whoever has changed the Secret since it was read counts, and this run begins anew.
    pub async fn expect_unchanged(&self, secret: &Value) -> Result<(), Stop> {
        let version = |secret: &Value| secret["metadata"]["resourceVersion"].clone();
        let now = self.api.get(&self.path).await?.unwrap_or_default();
        if version(&now) == version(secret) { Ok(()) } else { Err(Stop::Again) }
    }

    fn somebody_elses(&self, problem: &str) -> Failure {
        Failure::data(format!("{}: {problem}; it is left as it is", self.name))
    }
}

/// What is served with; empty where it is missing.
fn contents(secret: &Value) -> Contents {
    let part = |name| secret::part(secret, name).unwrap_or_default().into_bytes();
    Contents { certificate: part("tls.crt"), key: part("tls.key") }
}

/// Nothing depends on who reads it.
pub fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
