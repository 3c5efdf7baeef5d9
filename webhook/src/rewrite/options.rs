//! What a rewrite depends on besides the pod.

use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::quantity::{NAMES, amount};
use super::text::quoted;

/// What a rewrite depends on besides the pod.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether pods are rewritten whose annotations do not say.
    pub default_rewrite: bool,
    /// The port that probes are sent to, where no annotation names another.
    pub status_port: u16,
    /// The names of sidecar containers; the first one found in the pod is its sidecar.
    pub sidecars: Vec<String>,
    /// The agent, whose container is put beside sidecars that record a TCP check; `None` puts none
    /// in.
    pub agent: Option<AgentOptions>,
    /// Whether [`Rewrite::probes`](super::result::Rewrite::probes) is wanted: who only takes the patch
    /// saves a twentieth of the work.
    pub reports: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            default_rewrite: true,
            status_port: 15020,
            sidecars: vec!["istio-proxy".to_owned()],
            agent: None,
            reports: true,
        }
    }
}

/// The name of the container that the agent is put in as.
pub const AGENT_CONTAINER: &str = "app-health-agent";

/// The agent that is put into pods.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentOptions {
    /// The image of its container.
    pub image: String,
    /// The container's `resources`, as far as a pod's QoS class lets it have them.
    pub resources: AgentResources,
    /// Whom it runs as.
    pub user: AgentUser,
    /// A Secret that pods which get it name among their imagePullSecrets.
    pub pull_secret: Option<String>,
}

impl AgentOptions {
    /// The agent of this image, all else being the default.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            resources: AgentResources::default(),
            user: AgentUser::default(),
            pull_secret: None,
        }
    }
}

/// The `resources` of the agent's container.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AgentResources {
    /// A little CPU and memory.
    #[default]
    Default,
    /// None at all, so that a LimitRange fills them in.
    None,
    /// These requests and limits.
    Lists(Map<String, Value>),
}

impl AgentResources {
    pub(super) fn lists(&self) -> Option<&Map<String, Value>> {
        match self {
            Self::Lists(lists) => Some(lists),
            Self::Default | Self::None => None,
        }
    }
}

/// Whom the agent runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentUser {
    /// This user, and the group of the same number.
    Id(u32),
    /// Whom the cluster or the pod chooses, else whom the image names.
    Unset,
}

impl Default for AgentUser {
    /// Neither root, nor Istio's proxy, nor a user that images are wont to have.
    fn default() -> Self {
        Self::Id(15023)
    }
}

/// What an option or annotation says where nothing is to be set.
const NONE: &str = "none";

/// Istio's proxy: the interception takes its connections for the sidecar's.
const PROXY: u32 = 1337;

/// Kubernetes knows no larger one.
const LARGEST_ID: u32 = i32::MAX as u32;

impl FromStr for AgentUser {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == NONE {
            return Ok(Self::Unset);
        }
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        match text.parse().ok().filter(|_| digits) {
            Some(0) => Err("0 is root, which the agent does not need to be".to_owned()),
            Some(PROXY) => Err(format!("{PROXY} is Istio's proxy, whose traffic goes other ways")),
            Some(id @ ..=LARGEST_ID) => Ok(Self::Id(id)),
            _ => Err(format!("{} is neither a user's number nor {NONE}", quoted(text))),
        }
    }
}

impl FromStr for AgentResources {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == NONE {
            return Ok(Self::None);
        }
        let Ok(Value::Object(lists)) = serde_json::from_str(text) else {
            let example = json!({"requests": {"cpu": "20m", "memory": "32Mi"}});
            return Err(format!("{} is neither JSON, as in {example}, nor {NONE}", quoted(text)));
        };
        let mut resources = Map::new();
        for (list, quantities) in lists {
            let checked = check_list(&list, quantities)?;
            resources.insert(list, checked);
        }
        check_order(&resources)?;
        Ok(Self::Lists(resources))
    }
}

/// The quantities as text.
fn check_list(list: &str, quantities: Value) -> Result<Value, String> {
    if !["requests", "limits"].contains(&list) {
        return Err(format!("{} is neither requests nor limits", quoted(list)));
    }
    let Value::Object(quantities) = quantities else {
        return Err(format!("{list} is no object"));
    };
    let mut checked = Map::new();
    for (name, quantity) in quantities {
        if !NAMES.contains(&name.as_str()) {
            return Err(format!("{list}: {} is none of {}", quoted(&name), NAMES.join(", ")));
        }
        let text = match &quantity {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if amount(Some(&quantity)).is_none_or(|amount| amount < 0) {
            return Err(format!("{list}: {name}: {} is no quantity", quoted(&text)));
        }
        checked.insert(name, text.into());
    }
    Ok(Value::Object(checked))
}

fn check_order(resources: &Map<String, Value>) -> Result<(), String> {
    let of = |list: &str, name: &str| amount(Some(resources.get(list)?.get(name)?));
    for name in NAMES {
        if let (Some(request), Some(limit)) = (of("requests", name), of("limits", name))
            && request > limit
        {
            return Err(format!("the request of {name} is larger than its limit"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_number_or_none() {
        for (text, expected) in [
            ("none", Some(AgentUser::Unset)),
            ("1", Some(AgentUser::Id(1))),
            ("1000680000", Some(AgentUser::Id(1_000_680_000))),
            ("2147483647", Some(AgentUser::Id(2_147_483_647))),
            ("2147483648", None),
            ("99999999999", None),
            ("0", None),
            ("1337", None),
            ("", None),
            ("+1", None),
            (" 1", None),
            ("None", None),
            ("root", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn resources_are_requests_and_limits_that_a_container_can_have() {
        for (text, expected) in [
            ("{}", json!({})),
            (r#"{"limits":{"cpu":"50m"}}"#, json!({"limits": {"cpu": "50m"}})),
            (r#"{"limits":{"cpu":1}}"#, json!({"limits": {"cpu": "1"}})),
            (
                r#" {"requests":{"cpu":"0","memory":"16Mi","ephemeral-storage":"1Mi"},"limits":{"memory":"16Mi"}} "#,
                json!({
                    "requests": {"cpu": "0", "memory": "16Mi", "ephemeral-storage": "1Mi"},
                    "limits": {"memory": "16Mi"},
                }),
            ),
        ] {
            let lists = expected.as_object().unwrap().clone();
            assert_eq!(text.parse(), Ok(AgentResources::Lists(lists)), "{text}");
        }
        assert_eq!("none".parse(), Ok(AgentResources::None));
        for (text, says) in [
            ("", "neither JSON"),
            ("None", "neither JSON"),
            ("[]", "neither JSON"),
            ("{", "neither JSON"),
            ("null", "neither JSON"),
            (r#"{"claims":[]}"#, "\"claims\" is neither requests nor limits"),
            (r#"{"requests":null}"#, "requests is no object"),
            (r#"{"requests":{"nvidia.com/gpu":"1"}}"#, "\"nvidia.com/gpu\" is none of cpu, "),
            (r#"{"limits":{"cpu":"fast"}}"#, "limits: cpu: \"fast\" is no quantity"),
            (r#"{"limits":{"cpu":"-1"}}"#, "limits: cpu: \"-1\" is no quantity"),
            (r#"{"limits":{"cpu":null}}"#, "limits: cpu: \"null\" is no quantity"),
            (r#"{"limits":{"cpu":[1]}}"#, "limits: cpu: \"[1]\" is no quantity"),
            (r#"{"limits":{"cpu":"1m"},"requests":{"cpu":"2m"}}"#, "request of cpu is larger"),
        ] {
            let error = text.parse::<AgentResources>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
