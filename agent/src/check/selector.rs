//! Labels, and the selectors of the Kubernetes API.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The labels of an object.
pub type Labels = BTreeMap<String, String>;

/// Those at this place; what is no text is none.
pub fn labels(at: Option<&Value>) -> Labels {
    let members = at.and_then(Value::as_object).into_iter().flatten();
    members.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Whether a selector selects these labels. Nothing at all, and an empty one, select everything.
pub fn selects(selector: &Value, labels: &Labels) -> bool {
    let wanted = selector.get("matchLabels").and_then(Value::as_object);
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    wanted.is_none_or(|wanted| has_all(labels, wanted))
        && expressions.into_iter().flatten().all(|expression| holds(expression, labels))
}

/// Whether a selector selects everything.
pub fn is_empty(selector: &Value) -> bool {
    let fields = selector.as_object().into_iter().flatten();
    fields.map(|(_, value)| value).all(|value| match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        other => other.is_null(),
    })
}

fn has_all(labels: &Labels, wanted: &Map<String, Value>) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key).map(String::as_str) == value.as_str())
}

/// The API server takes no other operators.
fn holds(expression: &Value, labels: &Labels) -> bool {
    let text = |key| expression.get(key).and_then(Value::as_str).unwrap_or_default();
    let label = labels.get(text("key"));
    let is_in = || {
        let values = expression.get("values").and_then(Value::as_array);
        values.into_iter().flatten().any(|value| value.as_str() == label.map(String::as_str))
    };
    match text("operator") {
        "In" => label.is_some() && is_in(),
        "NotIn" => label.is_none() || !is_in(),
        "Exists" => label.is_some(),
        "DoesNotExist" => label.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_selects_by_all_that_it_says() {
        let labels = labels(Some(&json!({"a": "1", "b": "2", "c": 3})));
        let expression = |key: &str, operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        for (selector, expected) in [
            (json!(null), true),
            (json!({}), true),
            (json!({"matchLabels": {"a": "1", "b": "2"}}), true),
            (json!({"matchLabels": {"a": "1", "b": "1"}}), false),
            (json!({"matchLabels": {"d": "1"}}), false),
            (expression("a", "In", &["0", "1"]), true),
            (expression("a", "In", &["0"]), false),
            (expression("d", "In", &["0"]), false),
            (expression("a", "NotIn", &["0"]), true),
            (expression("a", "NotIn", &["0", "1"]), false),
            (expression("d", "NotIn", &["0"]), true),
            (expression("a", "Exists", &[]), true),
            (expression("c", "Exists", &[]), false),
            (expression("a", "DoesNotExist", &[]), false),
            (expression("d", "DoesNotExist", &[]), true),
            (expression("a", "Like", &["1"]), false),
            (
                json!({
                    "matchLabels": {"a": "1"},
                    "matchExpressions": [{"key": "b", "operator": "DoesNotExist"}],
                }),
                false,
            ),
        ] {
            assert_eq!(selects(&selector, &labels), expected, "{selector}");
        }
    }

    #[test]
    fn an_empty_selector_says_nothing() {
        for empty in [json!(null), json!({}), json!({"matchLabels": {}, "matchExpressions": []})] {
            assert!(is_empty(&empty), "{empty}");
        }
        assert!(!is_empty(&json!({"matchLabels": {"a": "1"}})));
        assert!(!is_empty(&json!({"matchExpressions": [{"key": "a", "operator": "Exists"}]})));
    }
}
