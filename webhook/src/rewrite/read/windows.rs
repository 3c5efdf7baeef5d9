//! Whether a pod runs on Windows, by what it says itself.

use super::node::Node;
use crate::rewrite::result::Malformed;

/// The labels of nodes that say it.
const LABELS: [&str; 2] = ["kubernetes.io/os", "beta.kubernetes.io/os"];
const WINDOWS: &str = "windows";

type Result<T> = std::result::Result<T, Malformed>;

pub fn runs_on_windows(spec: &Node<'_, '_>) -> Result<bool> {
    Ok(by_name(spec)? | by_selector(spec)? | by_affinity(spec)? | by_options(spec)?)
}

fn by_name(spec: &Node<'_, '_>) -> Result<bool> {
    let Some(os) = spec.member("os")? else { return Ok(false) };
    Ok(os.text("name")? == Some(WINDOWS))
}

fn by_selector(spec: &Node<'_, '_>) -> Result<bool> {
    let Some(selector) = spec.member("nodeSelector")? else { return Ok(false) };
    let [os, beta] = LABELS.map(|label| selector.text(label));
    Ok([os?, beta?].contains(&Some(WINDOWS)))
}

/// A node fits by any of the terms, so all of them have to say it.
fn by_affinity(spec: &Node<'_, '_>) -> Result<bool> {
    let Some(affinity) = spec.member("affinity")? else { return Ok(false) };
    let Some(nodes) = affinity.member("nodeAffinity")? else { return Ok(false) };
    let required = nodes.member("requiredDuringSchedulingIgnoredDuringExecution")?;
    let Some(required) = required else { return Ok(false) };
    let Some(terms) = required.member("nodeSelectorTerms")? else { return Ok(false) };
    let mut all = None;
    for term in terms.items()? {
        all = Some(all.unwrap_or(true) & wants_windows(&term)?);
    }
    Ok(all == Some(true))
}

fn wants_windows(term: &Node<'_, '_>) -> Result<bool> {
    let Some(expressions) = term.member("matchExpressions")? else { return Ok(false) };
    let mut wants = false;
    for expression in expressions.items()? {
        let is_label = expression.text("key")?.is_some_and(|key| LABELS.contains(&key));
        let is_in = expression.text("operator")? == Some("In");
        let Some(values) = expression.member("values")? else { continue };
        let values: Vec<_> = values.items()?.map(|value| value.string()).collect::<Result<_>>()?;
        wants |= is_label && is_in && values == [WINDOWS];
    }
    Ok(wants)
}

/// No pod of Linux has them.
fn by_options(spec: &Node<'_, '_>) -> Result<bool> {
    let Some(context) = spec.member("securityContext")? else { return Ok(false) };
    let Some(options) = context.member("windowsOptions")? else { return Ok(false) };
    Ok(options.members()?.next().is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_says_windows() {
        let expression = |key: &str, operator: &str, values: &[&str]| {
            json!({"matchExpressions": [
                {"key": "zone", "operator": "Exists"},
                {"key": key, "operator": operator, "values": values},
            ]})
        };
        let affinity = |terms: &[&Value]| {
            let required = json!({"nodeSelectorTerms": terms});
            json!({"affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": required,
            }}})
        };
        let windows = expression("kubernetes.io/os", "In", &["windows"]);
        let either = expression("kubernetes.io/os", "In", &["windows", "linux"]);
        let not = expression("kubernetes.io/os", "NotIn", &["windows"]);
        let other = expression("zone", "In", &["windows"]);
        let beta = expression("beta.kubernetes.io/os", "In", &["windows"]);
        for (spec, expected) in [
            (json!({}), false),
            (json!({"os": {"name": "windows"}}), true),
            (json!({"os": {"name": "linux"}}), false),
            (json!({"nodeSelector": {"kubernetes.io/os": "windows"}}), true),
            (json!({"nodeSelector": {"beta.kubernetes.io/os": "windows"}}), true),
            (json!({"nodeSelector": {"kubernetes.io/os": "linux", "zone": "windows"}}), false),
            (affinity(&[]), false),
            (affinity(&[&windows]), true),
            (affinity(&[&beta, &windows]), true),
            (affinity(&[&windows, &json!({})]), false),
            (affinity(&[&either]), false),
            (affinity(&[&not]), false),
            (affinity(&[&other]), false),
            (json!({"securityContext": {"windowsOptions": {"runAsUserName": "a"}}}), true),
            (json!({"securityContext": {"windowsOptions": {}}}), false),
            (json!({"securityContext": {"runAsUser": 1}}), false),
        ] {
            assert_eq!(runs_on_windows(&Node::root(&spec)), Ok(expected), "{spec}");
        }
    }
}
