//! `app-health-agent certs`: a CA and a serving certificate for the webhook's Service, for clusters
//! without cert-manager: as manifests for `kubectl apply --server-side`, or with `--apply` put where
//! they belong.
//!
//! The private keys are in the Secret, and nowhere else: the CA's too, so that a later run can sign
//! with it.
//!
//! | module | what it does |
//! |---|---|
//! | [`args`] | the arguments |
//! | [`authority`] | the CA, new or kept, and what it signs |
//! | [`secret`] | what is in the Secret |
//! | [`manifests`] | writes what is applied by hand |
//! | [`apply`] | applies it itself, and renews what ends |
//! | [`serving`] | whether a serving certificate is to be renewed |
//! | [`trust`], [`bundle`] | which CAs the webhooks' caBundles have |
//! | [`api`] | asks the API server |

mod api;
mod apply;
pub mod args;
mod authority;
mod bundle;
mod manifests;
mod secret;
mod serving;
mod trust;

use std::io::{self, Write};

use time::{Duration, OffsetDateTime};

use crate::exit::Failure;
use crate::webhook::certificate::Contents;
use args::CertsArgs;
use authority::Authority;
use serving::{Serving, judge};

/// Prints the manifests, or applies them.
///
/// # Errors
/// No input when the Secret to renew cannot be read, data when it cannot be used; those of [`apply`].
pub fn run(args: &CertsArgs) -> Result<(), Failure> {
    if args.apply { apply::run(args) } else { print(args) }
}

fn print(args: &CertsArgs) -> Result<(), Failure> {
    let now = OffsetDateTime::now_utc();
    let authority = match &args.renew {
        Some(file) => secret::read(file, args)?,
        None => Authority::new(now).map_err(Failure::internal)?,
    };
    let signed = sign(args, &authority, now)?;
    let text = manifests::write(args, &authority, &signed);
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::system(format!("stdout: {error}")))
}

/// A new serving certificate, which the webhook and the API server were seen to take.
fn sign(args: &CertsArgs, authority: &Authority, now: OffsetDateTime) -> Result<Contents, Failure> {
    let valid = Duration::days(i64::from(args.days));
    let signed = authority.sign(&names(args), now, valid).map_err(Failure::data)?;
    match judge(&signed, authority.certificate(), &args.host(), now) {
        Ok(Serving::Unusable(why)) | Err(why) => {
            Err(Failure::data(format!("a new certificate of its CA cannot be used: {why}")))
        }
        Ok(_) => Ok(signed),
    }
}

/// What the API server and others call the Service.
fn names(args: &CertsArgs) -> Vec<String> {
    let CertsArgs { service, namespace, .. } = args;
    ["", ".svc", ".svc.cluster.local"]
        .map(|end| format!("{service}.{namespace}{end}"))
        .into_iter()
        .collect()
}
