use app_health_webhook::patch::{Operation, Pointer};
use serde_json::{Value, json};

use super::super::Format::{self, Json, Yaml};
use super::super::{Document, Documents};
use super::value;

fn written(text: &str, patch: &[Operation], format: Option<Format>) -> String {
    let documents: Vec<Document> = Documents::new(text).collect::<Result<_, _>>().unwrap();
    assert_eq!(documents.len(), 1, "{text}");
    let document = documents.into_iter().next().unwrap();
    let format = format.unwrap_or(document.format());
    document.text(patch, format).unwrap().into_owned()
}

fn at(pointer: &str) -> Pointer {
    pointer.split('/').skip(1).fold(Pointer::root(), |pointer, token| pointer.key(token))
}

/// A patch that changes something, and nothing that these tests look at.
fn changed(text: &str) -> String {
    let out = written(text, &[Operation::Add(at("/zz"), json!(1))], None);
    out.strip_suffix("zz: 1\n").unwrap_or_else(|| panic!("{out}")).to_owned()
}

#[test]
fn what_does_not_change_keeps_its_form() {
    for text in [
        "a: 0644\nb: 1e3\nc: yes\nd: 18446744073709551616\ne: '8080'\nf: \"1\"\ng: ~\nh: null\n",
        "z: 1\na: 2\n\"y\": 3\nyes: 4\n'0x1f': 5\n",
        "a: {b: [1, 'x', \"y\"], c: {}, d: []}\n",
        "a:\n- b: 1\n  c:\n  - d\n- - 1\n  - 2\n",
        "a: |\n  line\n    indented\n\n  # no comment\n",
        "a: |-\n  line\n",
        "a:\nb:\n- \n",
        "a: äöü 😀 日本\n",
        "a: !!str 5\nb: !foo bar\nc: !!binary aGVsbG8=\n",
        "a: b\nc: a#b\nd: http://x/?y=z\n",
    ] {
        // libyaml writes nothing behind the dash of an empty item.
        assert_eq!(changed(text), text.replace("- \n", "-\n"));
    }
}

#[test]
fn what_is_written_otherwise_means_the_same() {
    for (text, out) in [
        ("a:   1 # c\n# d\nb:   2\n", "a: 1\nb: 2\n"),
        ("a: &x {b: 1}\nc: *x\n", "a: {b: 1}\nc: {b: 1}\n"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n", "a: {b: 1}\nc:\n  b: 1\n  d: 2\n"),
        ("a: 1\na: 2\n", "a: 2\n"),
        ("a: {b: , c: x:y}\n", "a: {b: null, c: 'x:y'}\n"),
        ("a: >\n  folded\n  text\n", "a: |\n  folded text\n"),
        ("a: |+\n  kept\n\n", "a: \"kept\\n\\n\"\n"),
        ("a: |2\n   indented\n", "a: \" indented\\n\"\n"),
        ("a: |\n  b\tc\n", "a: \"b\\tc\\n\"\n"),
        ("a: plain\n  over lines\n", "a: plain over lines\n"),
        ("a: 'over\n\n  lines'\n", "a: \"over\\nlines\"\n"),
        ("a: ! 012\n", "a: '012'\n"),
    ] {
        assert_eq!(changed(text), out, "{text}");
        assert_eq!(value(out), value(text), "{text}");
    }
}

#[test]
fn json_keeps_its_text() {
    for text in [
        r#"{"b":1.0,"a":1e3,"c":18446744073709551616,"d":"\u003c\/\"","\u0065":[{},[],-0]}"#,
        "{\n    \"b\": 1.50,\n    \"a\": [\n        {},\n        \"\\u0041\"\n    ]\n}",
    ] {
        let one = written(text, &[Operation::Add(at("/zz"), json!(1))], None);
        let back = written(&one, &[Operation::Remove(at("/zz"))], None);
        assert_ne!(one, text);
        assert_eq!(back, text);
    }
    let twice = r#"{"a":1,"b":2,"a":3}"#;
    assert_eq!(
        written(twice, &[Operation::Add(at("/c"), json!(4))], None),
        r#"{"b":2,"a":3,"c":4}"#
    );
}

#[test]
fn formats_are_converted() {
    let json = r#"{"a":"yes","b":"012","c":18446744073709551616,"d":[],"e":{"1":null},"f":1e3}"#;
    let yaml = "a: 'yes'\nb: '012'\nc: 18446744073709551616\nd: []\ne:\n  '1': null\nf: 1e3\n";
    assert_eq!(written(json, &[], Some(Yaml)), yaml);
    for (yaml, json) in [
        ("a: yes\nb: 0644\nc: 1_000\n", "{\n    \"a\": true,\n    \"b\": 420,\n    \"c\": 1000\n}"),
        ("no: 1e3\n0x10: .5\n", "{\n    \"false\": 1000,\n    \"16\": 0.5\n}"),
        ("a: 18446744073709551616\n", "{\n    \"a\": 18446744073709551616\n}"),
        ("a: 2001-01-01\n", "{\n    \"a\": \"2001-01-01\"\n}"),
    ] {
        assert_eq!(written(yaml, &[], Some(Json)), json);
    }
}

#[test]
fn new_strings_are_quoted_unless_obviously_safe() {
    for (text, yaml) in [
        ("hello", "hello"),
        ("/app-health/a/readyz", "/app-health/a/readyz"),
        ("envoyproxy/envoy.v1", "envoyproxy/envoy.v1"),
        ("yes", "'yes'"),
        ("y", "'y'"),
        ("null", "'null'"),
        ("~", "'~'"),
        ("", "''"),
        ("012", "'012'"),
        ("1_000", "'1_000'"),
        ("a: b", "'a: b'"),
        ("- a", "'- a'"),
        ("#x", "'#x'"),
        ("it's", "'it''s'"),
        ("{\"a\":1}", "'{\"a\":1}'"),
        ("a\tb", "\"a\\tb\""),
        ("a\u{2028}b\u{7f}", "\"a\\Lb\\x7F\""),
        ("two\nlines\n", "|\n  two\n  lines\n"),
    ] {
        let out = written("{}", &[Operation::Add(at("/a"), json!(text))], Some(Yaml));
        assert_eq!(out.trim_end(), format!("a: {yaml}").trim_end());
        assert_eq!(value(&out), json!({"a": text}));
    }
}

/// The library applies patches to values: a tree has to agree with it.
#[test]
fn patches_apply_as_they_do_to_values() {
    use Operation::{Add, Remove, Replace};
    let text = "a: {b: [1, 2], c~d: x, e/f: {}}\ng: []\nh:\n  i: {k: 1, l: 'x'}\n";
    for patch in [
        vec![Add(at("/a/b/0"), json!(0))],
        vec![Add(at("/a/b/2"), json!({"x": [1]})), Replace(at("/a/b/2/x"), json!("y"))],
        vec![Add(at("/a/b/-"), json!(3)), Remove(at("/a/b/0"))],
        vec![Replace(at("/a/b/1"), json!(null))],
        vec![Add(Pointer::root().key("a").key("c~d"), json!("y"))],
        vec![Add(Pointer::root().key("a").key("e/f").key("g"), json!({"h": 1}))],
        vec![Add(at("/g/-"), json!({"x": "yes"})), Add(at("/g/-"), json!("z"))],
        vec![Replace(at("/h/i"), json!({"l": "x", "m": "new", "k": 2}))],
        vec![Remove(at("/h")), Remove(at("/a/b"))],
    ] {
        let mut expected = value(text);
        app_health_webhook::patch::apply(&mut expected, &patch).unwrap();
        assert_eq!(value(&written(text, &patch, None)), expected, "{patch:?}");
        assert_eq!(value(&written(text, &patch, Some(Json))), expected, "{patch:?}");
    }
    for patch in [
        Add(at("/x/y"), Value::Null),
        Add(at("/a/b/3"), Value::Null),
        Add(at("/a/b/x"), Value::Null),
        Add(at("/a/b/0/c"), Value::Null),
        Replace(at("/x"), Value::Null),
        Remove(at("/a/b/2")),
        Remove(at("/x")),
    ] {
        let mut other = value(text);
        assert!(
            app_health_webhook::patch::apply(&mut other, std::slice::from_ref(&patch)).is_err()
        );
        let document = Documents::new(text).next().unwrap().unwrap();
        let problem = document.text(std::slice::from_ref(&patch), Yaml).unwrap_err();
        assert!(problem.contains(patch.pointer().as_str()), "{problem}");
    }
}
