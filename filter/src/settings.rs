//! The plugin configuration: what a deployment may have to change.

use app_health_webhook::json::{Reader, Stop, ValueType};
use app_health_webhook::reason::StatusCodes;

use crate::protobuf::LONGEST_GRPC_CLUSTER;

/// The names of Envoy's clusters, the status port, and which statuses tell of failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For later hops of a redirect over HTTP.
    pub http_cluster: String,
    /// For later hops of a redirect over HTTPS.
    pub https_cluster: String,
    /// For gRPC health checks, and later hops of a redirect over HTTP/2 in clear text.
    pub grpc_cluster: String,
    /// For gRPC health checks over TLS.
    pub grpc_tls_cluster: String,
    /// For TCP checks. Where it is empty, no agent is asked, and Envoy makes them.
    pub agent_cluster: String,
    /// The port that rewritten probes name; `None` for the port on which a connection arrives.
    pub status_port: Option<u16>,
    /// Which statuses tell of failures. Where Envoy replies past the filter, `local_reply_config` has to
    /// agree.
    pub status_codes: StatusCodes,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            http_cluster: "app_http_hop".to_owned(),
            https_cluster: "app_https_hop".to_owned(),
            grpc_cluster: "app_grpc".to_owned(),
            grpc_tls_cluster: "app_grpc_tls".to_owned(),
            agent_cluster: "app_health_agent".to_owned(),
            status_port: None,
            status_codes: StatusCodes::Plain,
        }
    }
}

impl Settings {
    /// Reads a JSON object. Mistakes in it are returned as notes, and the defaults hold in their place:
    /// an upgrade of one side must not fail every pod's liveness.
    pub fn parse(configuration: &[u8]) -> (Self, Vec<String>) {
        let mut settings = Self::default();
        let mut notes = Vec::new();
        let text = match std::str::from_utf8(configuration) {
            Ok(text) => text,
            Err(_) => {
                notes.push("plugin configuration: not UTF-8".to_owned());
                ""
            }
        };
        if !text.trim_ascii().is_empty() {
            let mut reader = Reader::new(text);
            if settings.read(&mut reader, &mut notes).is_err() {
                notes.push(format!("plugin configuration: {}", reader.error()));
            }
        }
        (settings, notes)
    }

    fn read(&mut self, reader: &mut Reader, notes: &mut Vec<String>) -> Result<(), Stop> {
        if reader.peek()? != ValueType::Object {
            notes.push("plugin configuration: not a JSON object".to_owned());
            return Ok(());
        }
        let mut members = reader.open()?;
        while let Some(key) = reader.next_key(&mut members)? {
            let cluster = match key.as_ref() {
                "http_cluster" => &mut self.http_cluster,
                "https_cluster" => &mut self.https_cluster,
                "grpc_cluster" => &mut self.grpc_cluster,
                "grpc_tls_cluster" => &mut self.grpc_tls_cluster,
                "agent_cluster" => &mut self.agent_cluster,
                "status_port" => {
                    match port(reader.raw()?) {
                        Some(port) => self.status_port = Some(port),
                        None => notes.push(wrong_type("status_port", "a port from 1 to 65535")),
                    }
                    continue;
                }
                "status_codes" => {
                    match reader.raw()? {
                        r#""plain""# => self.status_codes = StatusCodes::Plain,
                        r#""detailed""# => self.status_codes = StatusCodes::Detailed,
                        _ => notes.push(wrong_type("status_codes", r#""plain" or "detailed""#)),
                    }
                    continue;
                }
                unknown => {
                    notes.push(format!("plugin configuration: unknown key {unknown}, ignored"));
                    reader.raw()?;
                    continue;
                }
            };
            if reader.peek()? != ValueType::String {
                reader.raw()?;
                notes.push(wrong_type(&key, "a string"));
                continue;
            }
            let name = reader.string()?;
            let is_limited = matches!(&*key, "grpc_cluster" | "grpc_tls_cluster");
            if is_limited && name.len() > LONGEST_GRPC_CLUSTER {
                notes.push(wrong_type(&key, "a name of 63 bytes at most"));
            } else {
                *cluster = name.into_owned();
            }
        }
        reader.end()
    }
}

fn wrong_type(key: &str, expected: &str) -> String {
    format!("plugin configuration: {key}: not {expected}, the default holds")
}

/// Reads a port. Envoy writes the number of a Struct as a double: `15020` or `15020.0`.
fn port(text: &str) -> Option<u16> {
    text.strip_suffix(".0").unwrap_or(text).parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_taken() {
        let (settings, notes) = Settings::parse(
            br#"{"http_cluster":"a","https_cluster":"b","grpc_cluster":"d","grpc_tls_cluster":"e","agent_cluster":"","status_port":15021,"status_codes":"detailed"}"#,
        );
        assert_eq!(notes, [""; 0]);
        let expected = Settings {
            http_cluster: "a".to_owned(),
            https_cluster: "b".to_owned(),
            grpc_cluster: "d".to_owned(),
            grpc_tls_cluster: "e".to_owned(),
            agent_cluster: String::new(),
            status_port: Some(15021),
            status_codes: StatusCodes::Detailed,
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn what_is_wrong_is_noted_and_the_default_holds() {
        for (text, note) in [
            ("{\"x\":{}}", "plugin configuration: unknown key x, ignored"),
            (
                "{\"grpc_cluster\":1}",
                "plugin configuration: grpc_cluster: not a string, the default holds",
            ),
            (
                "{\"status_port\":\"1\"}",
                "plugin configuration: status_port: not a port from 1 to 65535, the default holds",
            ),
            (
                "{\"status_port\":0}",
                "plugin configuration: status_port: not a port from 1 to 65535, the default holds",
            ),
            (
                "{\"status_port\":65536}",
                "plugin configuration: status_port: not a port from 1 to 65535, the default holds",
            ),
            (
                "{\"status_codes\":\"Detailed\"}",
                "plugin configuration: status_codes: not \"plain\" or \"detailed\", the default holds",
            ),
            ("[]", "plugin configuration: not a JSON object"),
            ("{", "plugin configuration: not JSON: expected a string at byte 1"),
            ("\u{1}", "plugin configuration: not JSON: expected a value at byte 0"),
        ] {
            let (settings, notes) = Settings::parse(text.as_bytes());
            assert_eq!((settings, notes), (Settings::default(), vec![note.to_owned()]), "{text}");
        }
        assert_eq!(Settings::parse(b"\xff").1, ["plugin configuration: not UTF-8"]);
    }

    #[test]
    fn nothing_at_all_is_the_default() {
        for text in ["", " ", "{}"] {
            assert_eq!(Settings::parse(text.as_bytes()), (Settings::default(), vec![]));
        }
    }

    #[test]
    fn a_key_beside_a_wrong_one_still_counts() {
        let (settings, notes) =
            Settings::parse(br#"{"x":1,"status_port":15020.0,"agent_cluster":null}"#);
        assert_eq!((settings.status_port, notes.len()), (Some(15020), 2));
    }
}
