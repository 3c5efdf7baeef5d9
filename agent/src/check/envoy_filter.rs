//! Which findings an EnvoyFilter has that names this project's `.wasm`.

use app_health_webhook::manifest::Object;
use serde_json::Value;

use super::finding::{Code, Finding, Place};

/// What its extension is called.
const NAME: &str = "app_health";

/// From where pilot-agent fetches the file, and what it has to be.
const REMOTE: &str = "/patch/value/typed_config/config/vm_config/code/remote";

/// A sum by which pilot-agent would refuse whatever it fetches.
pub fn findings(object: &Object<'_>) -> Vec<Finding> {
    let patches = object.value().pointer("/spec/configPatches").and_then(Value::as_array);
    let problems = patches.into_iter().flatten().filter_map(|patch| {
        let is = |at: &str, text: &str| patch.pointer(at).and_then(Value::as_str) == Some(text);
        let is_ours = is("/applyTo", "EXTENSION_CONFIG") && is("/patch/value/name", NAME);
        problem(patch.pointer(REMOTE).filter(|_| is_ours)?)
    });
    let place = Place::of(&object.owner());
    problems.map(|problem| Finding::new(Code::NoSum, &place, None, problem)).collect()
}

fn problem(remote: &Value) -> Option<String> {
    let text = |at: &str| remote.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let sum = text("/sha256");
    if !is_sum(sum) {
        return Some(format!("sha256 {sum:?} is not 64 hexadecimal digits in lower case"));
    }
    if sum.bytes().all(|digit| digit == b'0') {
        return Some("sha256 is all zeros, as the file has it that ships".to_owned());
    }
    // As the webhook serves the file; another server's names are its own affair.
    let file = text("/http_uri/uri").rsplit('/').next()?.strip_suffix(".wasm")?;
    let is_another = is_sum(file) && file != sum;
    is_another.then(|| format!("sha256 is {sum}, but the uri has another sum: {file}"))
}

/// As pilot-agent compares it.
fn is_sum(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
