//! The arguments about the agent's container, which `webhook` and `rewrite` have in common.

use app_health_webhook::rewrite::{AgentOptions, AgentResources, AgentUser};
use clap::Args;

use crate::image;
use crate::names::subdomain;

/// What is put into pods beside their sidecar.
#[derive(Args, Debug)]
pub struct AgentArgs {
    /// Put this image's agent beside sidecars that have TCP checks to make; empty for none
    #[arg(long, value_name = "IMAGE", value_parser = image::parse)]
    pub agent_image: Option<String>,

    /// The resources of the agent's container, as JSON, or none; fitted to each pod so that its QoS
    /// class stays [default: 20m of CPU, 32Mi of memory]
    #[arg(long, value_name = "JSON|none", value_parser = resources, requires = "agent_image")]
    pub agent_resources: Option<AgentResources>,

    /// The number of the agent's user and group, or none: whom the pod, the cluster or the image
    /// names [default: 15023]
    #[arg(long, value_name = "UID|none", value_parser = user, requires = "agent_image")]
    pub agent_user: Option<AgentUser>,

    /// Add this Secret to the imagePullSecrets of pods that get the agent (a manifest that has none
    /// no longer gets those of its service account)
    #[arg(long, value_name = "NAME|none", value_parser = secret, requires = "agent_image")]
    pub agent_pull_secret: Option<String>,
}

impl AgentArgs {
    /// The agent, where there is to be one.
    pub fn options(&self) -> Option<AgentOptions> {
        Some(AgentOptions {
            image: self.agent_image.clone().filter(|image| !image.is_empty())?,
            resources: self.agent_resources.clone().unwrap_or_default(),
            user: self.agent_user.unwrap_or_default(),
            pull_secret: self.agent_pull_secret.clone().filter(|it| !["", "none"].contains(&&**it)),
        })
    }
}

/// An empty variable of the environment is as good as none.
fn resources(text: &str) -> Result<AgentResources, String> {
    if text.is_empty() { Ok(AgentResources::default()) } else { text.parse() }
}

/// The same.
fn user(text: &str) -> Result<AgentUser, String> {
    if text.is_empty() { Ok(AgentUser::default()) } else { text.parse() }
}

/// The same.
fn secret(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Ok(String::new()) } else { subdomain(text) }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};
    use serde_json::json;

    use super::*;

    fn parse(args: &[&str]) -> Result<AgentArgs, clap::Error> {
        let command = AgentArgs::augment_args(Command::new("test").no_binary_name(true));
        AgentArgs::from_arg_matches(&command.try_get_matches_from(args)?)
    }

    #[test]
    fn an_empty_value_is_as_good_as_none_at_all() {
        let rest = ["--agent-resources", "--agent-user", "--agent-pull-secret"];
        let rest = rest.map(|flag| [flag, ""]).concat();
        let args = parse(&[&["--agent-image", ""], &rest[..]].concat()).unwrap();
        assert_eq!(args.options(), None);
        let args = parse(&[&["--agent-image=agent:1"], &rest[..]].concat()).unwrap();
        assert_eq!(args.options(), Some(AgentOptions::new("agent:1")));
    }

    #[test]
    fn none_leaves_out() {
        let all = ["--agent-resources", "--agent-user", "--agent-pull-secret"];
        let all = all.map(|flag| [flag, "none"]).concat();
        let args = parse(&[&["--agent-image=agent:1"], &all[..]].concat()).unwrap();
        let (resources, user) = (AgentResources::None, AgentUser::Unset);
        let expected = AgentOptions { resources, user, ..AgentOptions::new("agent:1") };
        assert_eq!(args.options(), Some(expected));
    }

    #[test]
    fn what_is_said_is_taken() {
        let args = parse(&[
            "--agent-image=agent:1",
            r#"--agent-resources={"limits":{"memory":"32Mi"}}"#,
            "--agent-user=1000",
            "--agent-pull-secret=registry.key-1",
        ]);
        let lists = json!({"limits": {"memory": "32Mi"}}).as_object().unwrap().clone();
        let expected = AgentOptions {
            image: "agent:1".to_owned(),
            resources: AgentResources::Lists(lists),
            user: AgentUser::Id(1000),
            pull_secret: Some("registry.key-1".to_owned()),
        };
        assert_eq!(args.unwrap().options(), Some(expected));
    }
}
