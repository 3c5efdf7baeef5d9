//! The annotation `proxy.istio.io/config`: what pilot-agent and Envoy are started with. What a pod says in
//! it itself is kept, and lists are appended to.

use serde_json::{Value, json};

use crate::rewrite::{JsonObject, brief};

/// Where pilot-agent serves instead of 15020, which the filter takes.
pub const STATUS_PORT: u16 = 15019;

/// Bytes of the annotation: the sidecar has its config, with some more of the mesh's, in a variable, of
/// which `exec` takes 128 KiB.
const LARGEST: usize = 120 << 10;

/// Those of the bootstrap that ships: they limit an endless answer to 1 MiB, and the port's connections.
const RUNTIME: [(&str, &str); 2] = [
    ("http.async_response_buffer_limit", "1048576"),
    ("envoy.resource_limits.listener.app_health.connection_limit", "12000"),
];

/// The labels of the filter's metrics.
const TAGS: [&str; 4] = ["app_container", "probe", "result", "by"];

/// Envoy's statistics that Istio would leave out: of the listener, and how often pilot-agent answers in the
/// filter's place.
pub const STATISTICS: [&str; 2] =
    ["http.app_health.", "cluster.app_health_pilot_agent_probes.upstream_rq_total"];

/// Which filter: in the metadata of the proxy, by which the EnvoyFilter's patches match, it is
/// `APP_HEALTH_FILTER`.
const REVISION: &str = "ISTIO_META_APP_HEALTH_FILTER";

/// Members that Istio takes as a whole: what the annotation says replaces what the mesh sets.
const REPLACED: [&str; 3] = ["runtimeValues", "extraStatTags", "proxyStatsMatcher"];

/// Members of what `defaultConfig` is in.
const AROUND: [&str; 2] = ["defaultConfig", "meshConfig"];

/// What the mesh's `defaultConfig` has of these.
#[derive(Clone, Debug, Default)]
pub struct ProxyDefaults(JsonObject);

impl TryFrom<Value> for ProxyDefaults {
    type Error = String;

    /// # Errors
    /// It cannot be merged with: what is wrong with it.
    fn try_from(config: Value) -> Result<Self, String> {
        let mut config = object_of(config)?;
        if AROUND.iter().any(|name| config.contains_key(*name)) {
            return Err("give what is under defaultConfig".to_owned());
        }
        let member = |name: &str| (name.to_owned(), member(&mut config, name).take());
        let defaults = Self(REPLACED.map(member).into_iter().collect());
        fits(&Value::Object(completed(JsonObject::new(), "", &defaults)?).to_string())?;
        Ok(defaults)
    }
}

/// The annotation's text with what the filter of this revision needs; `None` where it has all of that
/// already.
///
/// # Errors
/// What is there cannot be merged with: what is wrong with it.
pub fn merged(
    text: Option<&str>,
    revision: &str,
    defaults: &ProxyDefaults,
    read_yaml: fn(&str) -> Result<Value, String>,
) -> Result<Option<String>, String> {
    let before = object_of(text.map_or(Ok(Value::Null), |text| read(text, read_yaml))?)?;
    let config = completed(before.clone(), revision, defaults)?;
    if config == before {
        return Ok(None);
    }
    let text = Value::Object(config).to_string();
    fits(&text).map_err(|problem| format!("with what is added to it {problem}"))?;
    Ok(Some(text))
}

fn completed(
    mut config: JsonObject,
    revision: &str,
    defaults: &ProxyDefaults,
) -> Result<JsonObject, String> {
    for (name, value) in &defaults.0 {
        let own = member(&mut config, name);
        if own.is_null() {
            own.clone_from(value);
        }
    }
    status_port(member(&mut config, "statusPort"))?;
    let runtime = object(&mut config, "runtimeValues")?;
    for (name, value) in RUNTIME {
        runtime.entry(name).or_insert_with(|| value.into());
    }
    append(&mut config, "extraStatTags", &TAGS)?;
    append(object(&mut config, "proxyStatsMatcher")?, "inclusionPrefixes", &STATISTICS)?;
    object(&mut config, "proxyMetadata")?.insert(REVISION.to_owned(), revision.into());
    Ok(config)
}

fn read(text: &str, read_yaml: fn(&str) -> Result<Value, String>) -> Result<Value, String> {
    fits(text)?;
    read_yaml(text)
}

fn fits(text: &str) -> Result<(), String> {
    if text.len() > LARGEST {
        return Err(format!("{} KiB, more than a sidecar takes", text.len() >> 10));
    }
    Ok(())
}

fn object_of(config: Value) -> Result<JsonObject, String> {
    match config {
        Value::Null => Ok(JsonObject::new()),
        Value::Object(config) => Ok(config),
        other => Err(format!("expected an object, not {}", brief(&other))),
    }
}

fn status_port(port: &mut Value) -> Result<(), String> {
    let own = STATUS_PORT.to_string();
    if port.is_null() {
        *port = STATUS_PORT.into();
    } else if *port != json!(STATUS_PORT) && *port != json!(own) {
        return Err(format!("statusPort is {}, not {own}", brief(port)));
    }
    Ok(())
}

/// The member of this name, null where there is none. Istio takes a name in camel case or in snake case,
/// of both that in camel case.
fn member<'c>(config: &'c mut JsonObject, name: &str) -> &'c mut Value {
    let snake: String = name
        .chars()
        .flat_map(|c| c.is_uppercase().then_some('_').into_iter().chain(c.to_lowercase()))
        .collect();
    let is_snake = config.contains_key(&snake) && !config.contains_key(name);
    let name = if is_snake { &snake } else { name };
    config.entry(name).or_insert(Value::Null)
}

fn object<'c>(config: &'c mut JsonObject, name: &str) -> Result<&'c mut JsonObject, String> {
    let value = member(config, name);
    if value.is_null() {
        *value = json!({});
    }
    let is = brief(value);
    value.as_object_mut().ok_or_else(|| format!("{name}: expected an object, not {is}"))
}

fn append(config: &mut JsonObject, name: &str, items: &[&str]) -> Result<(), String> {
    let value = member(config, name);
    if value.is_null() {
        *value = json!([]);
    }
    let is = brief(value);
    let list =
        value.as_array_mut().ok_or_else(|| format!("{name}: expected an array, not {is}"))?;
    for item in items {
        if !list.iter().any(|it| it == item) {
            list.push((*item).into());
        }
    }
    Ok(())
}
