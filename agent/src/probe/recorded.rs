//! The original check, as the page has it.

use app_health_webhook::json::write_string;
use app_health_webhook::probers::{Prober, decode};
use serde_json::Value;

use crate::page::shape::Probe;

/// What is recorded of a probe.
pub struct Recorded {
    /// Without the headers that are hidden; else why there is none.
    pub prober: Result<Prober, String>,
    /// The names of the headers whose values the page hides.
    pub hidden: Vec<String>,
}

impl Recorded {
    pub fn of(probe: &Probe) -> Self {
        let Some(mut entry) = probe.recorded.clone() else {
            return Self {
                prober: Err("what is recorded is not valid".into()),
                hidden: Vec::new(),
            };
        };
        let hidden = take_hidden(&mut entry);
        Self { prober: prober(&probe.path, &entry), hidden }
    }
}

/// By the reader that the filter has.
fn prober(path: &str, entry: &Value) -> Result<Prober, String> {
    let mut text = "{".to_owned();
    write_string(&mut text, path);
    text += &format!(":{entry}}}");
    let probers = decode(text.as_bytes()).map_err(|error| error.to_string())?;
    match probers.get(path) {
        Some(Ok(prober)) => Ok(prober.clone()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("nothing is recorded".into()),
    }
}

/// Takes out the headers that have no value, and gives their names.
fn take_hidden(entry: &mut Value) -> Vec<String> {
    let headers = entry.pointer_mut("/httpGet/httpHeaders").and_then(Value::as_array_mut);
    let Some(headers) = headers else { return Vec::new() };
    let hidden = headers.extract_if(.., |header| header.get("value").is_none());
    hidden.map(|header| header["name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn headers_without_a_value_are_hidden() {
        let mut entry = json!({"httpGet": {"port": 80, "httpHeaders": [
            {"name": "Host", "value": "shop"},
            {"name": "X-Token"},
            {"name": "X-Empty", "value": ""},
        ]}});
        assert_eq!(take_hidden(&mut entry), ["X-Token"]);
        let headers = json!([{"name": "Host", "value": "shop"}, {"name": "X-Empty", "value": ""}]);
        assert_eq!(entry["httpGet"]["httpHeaders"], headers);
        for entry in [json!({"tcpSocket": {"port": 1}}), json!(1), json!({"httpGet": []})] {
            assert_eq!(take_hidden(&mut entry.clone()), [""; 0], "{entry}");
        }
    }

    #[test]
    fn what_is_no_check_says_why() {
        let path = "/app-health/web/readyz";
        assert!(prober(path, &json!({"tcpSocket": {"port": 80}})).is_ok());
        for (entry, why) in [
            (json!({"tcpSocket": {"port": 0}}), "port"),
            (json!({}), "none of httpGet"),
            (json!([]), "not an object"),
        ] {
            let error = prober(path, &entry).unwrap_err();
            assert!(error.contains(why), "{entry}: {error}");
        }
    }
}
