//! Reads the Secret of an earlier run.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::authority::Authority;
use crate::document::Documents;
use crate::exit::Failure;
use crate::logger::InLine;
use crate::net::reason;

/// No Secret is as large.
const LARGEST: u64 = 4 << 20;

/// The CA in the Secret that a file holds.
pub fn authority(file: &Path) -> Result<Authority, Failure> {
    let named = |problem: String| format!("--renew {}: {problem}", InLine(file.display()));
    let text = read(file).map_err(|error| Failure::no_input(named(reason(&error))))?;
    let of_secret = || {
        let secret = find(&text)?;
        Authority::kept(part(&secret, "ca.crt")?, &part(&secret, "ca.key")?)
    };
    of_secret().map_err(|problem| Failure::data(named(problem)))
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        io::stdin().lock().take(LARGEST).read_to_string(&mut text)?;
    } else {
        File::open(file)?.take(LARGEST).read_to_string(&mut text)?;
    }
    Ok(text)
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

fn part(secret: &Value, name: &str) -> Result<String, String> {
    let text = secret["data"][name].as_str().ok_or_else(|| {
        format!("data has no {name}: only a Secret that `certs` made can be renewed")
    })?;
    let bytes = STANDARD.decode(text).map_err(|error| format!("data.{name}: {error}"))?;
    String::from_utf8(bytes).map_err(|_| format!("data.{name}: not PEM"))
}
