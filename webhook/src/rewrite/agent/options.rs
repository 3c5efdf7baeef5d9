//! What only a cluster or a namespace knows of the agent's container, and what a pod says of it.

use std::str::FromStr;

use serde_json::{Value, json};

use super::shape::amount;
use crate::rewrite::Cause;
use crate::rewrite::node::{Object, quoted};

/// The resources of the agent's container: JSON, or `none`.
pub const AGENT_RESOURCES_ANNOTATION: &str = "app-health/agent-resources";
/// The user of the agent's container: a number, or `none`.
pub const AGENT_USER_ANNOTATION: &str = "app-health/agent-user";

/// What the agent's container has besides its image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentOptions {
    /// Its `resources`.
    pub resources: AgentResources,
    /// Whom it runs as.
    pub user: AgentUser,
    /// A Secret that pods which get it name among their imagePullSecrets.
    pub pull_secret: Option<String>,
}

/// The `resources` of the agent's container.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AgentResources {
    /// Such that the pod's QoS class stays as it is.
    #[default]
    Fitting,
    /// These, whatever the pod's are. `None`: it has none, so that a LimitRange fills them in.
    Set(Option<Value>),
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
            return Ok(Self::Set(None));
        }
        let Ok(Value::Object(lists)) = serde_json::from_str(text) else {
            let example = json!({"requests": {"cpu": "10m"}});
            return Err(format!("{} is neither JSON, as in {example}, nor {NONE}", quoted(text)));
        };
        let mut resources = Object::new();
        for (list, quantities) in lists {
            let checked = check_list(&list, quantities)?;
            resources.insert(list, checked);
        }
        check_order(&resources)?;
        Ok(Self::Set(Some(Value::Object(resources))))
    }
}

/// What a container without volumes and devices can use.
pub(super) const NAMES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// The quantities as text.
fn check_list(list: &str, quantities: Value) -> Result<Value, String> {
    if !["requests", "limits"].contains(&list) {
        return Err(format!("{} is neither requests nor limits", quoted(list)));
    }
    let Value::Object(quantities) = quantities else {
        return Err(format!("{list} is no object"));
    };
    let mut checked = Object::new();
    for (name, quantity) in quantities {
        if !NAMES.contains(&name.as_str()) {
            return Err(format!("{list}: {} is none of {}", quoted(&name), NAMES.join(", ")));
        }
        let text = match &quantity {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if quantity.is_null() || amount(&quantity).is_none_or(|amount| amount < 0) {
            return Err(format!("{list}: {name}: {} is no quantity", quoted(&text)));
        }
        checked.insert(name, text.into());
    }
    Ok(Value::Object(checked))
}

fn check_order(resources: &Object) -> Result<(), String> {
    let of = |list: &str, name: &str| amount(resources.get(list)?.get(name)?);
    for name in NAMES {
        if let (Some(request), Some(limit)) = (of("requests", name), of("limits", name))
            && request > limit
        {
            return Err(format!("the request of {name} is larger than its limit"));
        }
    }
    Ok(())
}

/// What holds for one pod: its annotations, else the options. Problems are those of annotations.
pub(super) fn chosen(
    annotations: Option<&Object>,
    options: &AgentOptions,
    problems: &mut Vec<(Cause, String)>,
) -> (AgentResources, AgentUser) {
    let resources = said(annotations, AGENT_RESOURCES_ANNOTATION, problems);
    let user = said(annotations, AGENT_USER_ANNOTATION, problems);
    (resources.unwrap_or_else(|| options.resources.clone()), user.unwrap_or(options.user))
}

fn said<T: FromStr<Err = String>>(
    annotations: Option<&Object>,
    name: &str,
    problems: &mut Vec<(Cause, String)>,
) -> Option<T> {
    let text = annotations?.get(name)?.as_str()?;
    let read = text.parse();
    let problem = |problem| format!("annotation {name}: {problem}; the default holds");
    read.map_err(|error| problems.push((Cause::Annotation, problem(error)))).ok()
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
            ("none", None),
            ("{}", Some(json!({}))),
            (r#"{"limits":{"cpu":"50m"}}"#, Some(json!({"limits": {"cpu": "50m"}}))),
            (r#"{"limits":{"cpu":1}}"#, Some(json!({"limits": {"cpu": "1"}}))),
            (
                r#" {"requests":{"cpu":"0","memory":"16Mi","ephemeral-storage":"1Mi"},"limits":{"memory":"16Mi"}} "#,
                Some(json!({
                    "requests": {"cpu": "0", "memory": "16Mi", "ephemeral-storage": "1Mi"},
                    "limits": {"memory": "16Mi"},
                })),
            ),
        ] {
            assert_eq!(text.parse(), Ok(AgentResources::Set(expected)), "{text}");
        }
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
