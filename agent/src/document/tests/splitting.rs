use serde_json::json;

use super::super::{Document, Documents};
use super::values;

/// apimachinery 0.34's YAMLOrJSONDecoder gave these.
#[test]
fn documents_of_a_file() {
    for (text, documents) in [
        ("", vec![]),
        ("\n\n", vec![]),
        ("# only a comment\n", vec![]),
        ("---\n", vec![]),
        ("---\n---\n# c\n---", vec![]),
        ("null\n---\n~\n", vec![]),
        ("a: 1", vec![json!({"a": 1})]),
        ("---\na: 1\n---\nb: 2\n", vec![json!({"a": 1}), json!({"b": 2})]),
        ("a: 1\n--- # c\nb: 2\n", vec![json!({"a": 1}), json!({"b": 2})]),
        ("a: 1\r\n---\r\nb: 2\r\n", vec![json!({"a": 1}), json!({"b": 2})]),
        ("a: 1\n---   \n\n---\nb: 2\n", vec![json!({"a": 1}), json!({"b": 2})]),
        ("{\"a\":1}", vec![json!({"a": 1})]),
        (
            " \n{\"a\":1}{\"b\":2}\n{\"c\":3}",
            vec![json!({"a": 1}), json!({"b": 2}), json!({"c": 3})],
        ),
        ("{\"a\":1}\n---\n{\"b\":2}\n", vec![json!({"a": 1}), json!({"b": 2})]),
        ("{\"a\":1}\n---\nb: 2\n", vec![json!({"a": 1}), json!({"b": 2})]),
        ("{a: 1}\n---\n{\"b\":2}\n", vec![json!({"a": 1}), json!({"b": 2})]),
        ("a: 1\n---\n{\"b\":2}", vec![json!({"a": 1}), json!({"b": 2})]),
        ("- 1\n", vec![json!([1])]),
    ] {
        assert_eq!(values(text).unwrap(), documents, "{text:?}");
    }
}

#[test]
fn a_syntax_error_names_its_line() {
    for (text, problem) in [
        ("{\"a\":1}{\"b\":2}\n{\"c\":}", "line 2: not JSON: expected value"),
        ("\n{\"a\":1,\n{", "line 3: not JSON: key must be a string"),
        ("{\"a\":1}{\"b\":2}\n\n{\"c\"", "line 3: not JSON: EOF while parsing an object"),
        ("{\"a\":1}{\"b\":2}x", "line 1: not JSON: expected value"),
        ("a: 1\n---\nb: 2\n---\n\nc: [", "line 7: not YAML"),
    ] {
        let found = values(text).unwrap_err();
        assert!(found.starts_with(problem), "{text:?}: {found}");
    }
}

/// Nothing of a text is lost between its documents.
#[test]
fn the_pieces_make_up_the_text() {
    for text in [
        "# c\n\n--- # d\na: 1 # e\n\n---\n# f\n---\n{\"b\": 2}\n\n---\nc: 3",
        " {\"a\":1}\n\n{\"b\":2} {\"c\":3}\n\n",
        "{\"a\":1}\n---\nb: 2\n---",
        "\n\n---\r\na: 1\r\n",
    ] {
        let documents: Vec<Document> = Documents::new(text).collect::<Result<_, _>>().unwrap();
        let whole: String = documents
            .iter()
            .flat_map(|document| [document.lead, document.body, document.tail])
            .collect();
        assert_eq!(whole, text);
        for document in documents {
            let (body, format) = (document.body, document.format());
            assert_eq!(document.text(&[], format).unwrap(), body);
        }
    }
}
