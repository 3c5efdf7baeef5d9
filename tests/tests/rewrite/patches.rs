//! JSON Patch: what is applied, what does not fit, and how it is written.

use app_health_webhook::patch::{Operation, Pointer, apply};
use serde_json::{Value, json};

fn pointer(keys: &[&str]) -> Pointer {
    keys.iter().fold(Pointer::root(), |pointer, key| pointer.key(key))
}

#[test]
fn operations_agree_with_json_patch() {
    let document = json!({"a": {"b": null}, "list": [1, 2, 3], "~/": {"": 0}});
    for keys in [
        &[][..],
        &["a"],
        &["a", "b"],
        &["a", "c"],
        &["a", "b", "c"],
        &["x", "y"],
        &["list", "0"],
        &["list", "2"],
        &["list", "3"],
        &["list", "4"],
        &["list", "-"],
        &["list", "01"],
        &["list", "+1"],
        &["list", "x"],
        &["~/"],
        &["~/", ""],
    ] {
        let at = pointer(keys);
        for operation in [
            Operation::Add(at.clone(), json!("new")),
            Operation::Replace(at.clone(), json!("new")),
            Operation::Remove(at.clone()),
        ] {
            if matches!(operation, Operation::Remove(_)) && keys.is_empty() {
                continue; // json-patch makes null of the document; here it does not fit.
            }
            agrees(&document, operation);
        }
    }
}

fn agrees(document: &Value, operation: Operation) {
    let text = serde_json::to_string(&[&operation]).unwrap();
    let oracle: json_patch::Patch = serde_json::from_str(&text).unwrap();
    let (mut ours, mut theirs) = (document.clone(), document.clone());
    let result = apply(&mut ours, &[operation]);
    assert_eq!(result.is_ok(), json_patch::patch(&mut theirs, &oracle).is_ok(), "{text}");
    assert_eq!(ours, theirs, "{text}");
}

#[test]
fn a_mismatch_says_where() {
    let at = pointer(&["a/b", "c"]);
    let error = apply(&mut json!({}), &[Operation::Remove(at)]).unwrap_err();
    assert_eq!(error.to_string(), "the patch does not fit: nothing can be changed at \"/a~1b/c\"");
}

#[test]
fn an_operation_is_written_as_the_rfc_says() {
    let at = pointer(&["a~", "b/c"]).index(0);
    for (operation, text) in [
        (
            Operation::Add(at.clone(), json!(null)),
            r#"{"op":"add","path":"/a~0/b~1c/0","value":null}"#,
        ),
        (Operation::Replace(Pointer::root(), json!(1)), r#"{"op":"replace","path":"","value":1}"#),
        (
            Operation::Remove(at.clone()).under(&pointer(&["spec"])),
            r#"{"op":"remove","path":"/spec/a~0/b~1c/0"}"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&operation).unwrap(), text);
    }
    assert_eq!(at.tokens().collect::<Vec<_>>(), ["a~", "b/c", "0"]);
}
