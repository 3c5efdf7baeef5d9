//! What is in the Secret of an earlier run.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;

use super::args::CertsArgs;
use super::authority::Authority;
use crate::document::Documents;
use crate::exit::Failure;
use crate::input;
use crate::logger::InLine;

/// The annotation by which its certificate is renewed at once, whatever it says.
pub const RENEW: &str = "app-health/renew";

/// No Secret is as large.
const LARGEST: u64 = 4 << 20;

/// The CA in the Secret that a file holds.
///
/// # Errors
/// No input when it cannot be read; data when it holds no Secret of `certs`, or one that is not the
/// one that the arguments name.
pub fn read(file: &Path, args: &CertsArgs) -> Result<Authority, Failure> {
    let name = format!("--renew {}", InLine(file.display()));
    let text = input::manifest(file, LARGEST).map_err(|failure| failure.of(&name))?;
    let authority = find(&text).and_then(|secret| authority(&secret, args));
    authority.map_err(|problem| Failure::data(problem).of(&name))
}

/// The CA in a Secret.
///
/// # Errors
/// `certs` has not made it, or not by these arguments.
pub fn authority(secret: &Value, args: &CertsArgs) -> Result<Authority, String> {
    let authority = Authority::kept(part(secret, "ca.crt")?, &part(secret, "ca.key")?)?;
    fits(secret, args).map(|()| authority)
}

/// Whether nothing was put into it yet.
pub fn is_empty(secret: &Value) -> bool {
    let parts = secret["data"].as_object().into_iter().flat_map(|data| data.values());
    parts.into_iter().all(|part| part.as_str().is_none_or(str::is_empty))
}

/// Whether its certificate is to be renewed at once.
pub fn asks_for_another(secret: &Value) -> bool {
    secret["metadata"]["annotations"].get(RENEW).is_some()
}

/// It is not to be renewed again.
pub fn has_another(secret: &mut Value) {
    if let Some(Value::Object(annotations)) = secret.pointer_mut("/metadata/annotations") {
        annotations.remove(RENEW);
    }
}

/// The first Secret: what an earlier run printed will do as well.
fn find(text: &str) -> Result<Value, String> {
    for document in Documents::new(text) {
        let document = document?;
        if let Some(value) = document.value().filter(|value| value["kind"] == "Secret") {
            return Ok(value.clone());
        }
    }
    Err("no Secret in it".to_owned())
}

/// Under another name, the certificate would be renewed where nobody serves it.
fn fits(secret: &Value, args: &CertsArgs) -> Result<(), String> {
    for (field, flag, expected) in
        [("namespace", "--namespace", &args.namespace), ("name", "--secret", &args.secret)]
    {
        match secret["metadata"][field].as_str() {
            Some(is) if is != expected => {
                let is = InLine(is);
                return Err(format!("its {field} is {is}, not {expected}: say {flag} {is}"));
            }
            _ => {}
        }
    }
    let names = part(secret, "tls.crt").map(|pem| names_of(&pem)).unwrap_or_default();
    let expected = args.host();
    if names.is_empty() || names.contains(&expected) {
        return Ok(());
    }
    let names = names.join(", ");
    Err(format!("its certificate is for {}, not {expected}: say --service", InLine(names)))
}

/// The DNS names of a certificate; none of what is no certificate.
fn names_of(pem: &str) -> Vec<String> {
    let Ok((_, pem)) = parse_x509_pem(pem.as_bytes()) else { return Vec::new() };
    let Ok(certificate) = pem.parse_x509() else { return Vec::new() };
    let names = certificate.subject_alternative_name().ok().flatten();
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    };
    names
        .map(|names| names.value.general_names.iter().filter_map(name).collect())
        .unwrap_or_default()
}

/// A part of it, decoded.
///
/// # Errors
/// It is not there, or no text.
pub fn part(secret: &Value, name: &str) -> Result<String, String> {
    let text = secret["data"][name].as_str().ok_or_else(|| {
        format!("data has no {name}: only a Secret that `certs` made can be renewed")
    })?;
    let bytes = STANDARD.decode(text).map_err(|error| format!("data.{name}: {error}"))?;
    String::from_utf8(bytes).map_err(|_| format!("data.{name}: not PEM"))
}
