use serde_json::json;

use super::super::compose::{Copies, compose, compose_within};
use super::super::value as value_of;
use super::{value, values};

#[test]
fn aliases_and_merge_keys_are_expanded() {
    for (text, means) in [
        ("a: &x [1]\nb: *x\n", json!({"a": [1], "b": [1]})),
        ("a: &x 1\nb: &x 2\nc: *x\n", json!({"a": 1, "b": 2, "c": 2})),
        ("a: &x {k: 1}\nb:\n  <<: *x\n  l: 2\n", json!({"a": {"k": 1}, "b": {"k": 1, "l": 2}})),
        // go-yaml merges where the key stands: what comes later wins.
        ("a: &x {k: 1}\nb: {<<: *x, k: 2}\n", json!({"a": {"k": 1}, "b": {"k": 2}})),
        ("a: &x {k: 1}\nb: {k: 2, <<: *x}\n", json!({"a": {"k": 1}, "b": {"k": 1}})),
        ("a: {<<: [{k: 1}, {k: 2, l: 3}]}\n", json!({"a": {"k": 1, "l": 3}})),
        ("a: {'<<': 1}\n", json!({"a": {"<<": 1}})),
        ("a: 1\nb: 2\na: 3\n", json!({"a": 3, "b": 2})),
    ] {
        assert_eq!(value(text), means, "{text}");
    }
}

#[test]
fn a_short_text_has_no_aliases() {
    for (text, means) in [
        ("", json!(null)),
        (" # nothing\n", json!(null)),
        ("statusPort: 15019", json!({"statusPort": 15019})),
        ("---\na: &x 1\n", json!({"a": 1})),
        ("{a: [1, b]}", json!({"a": [1, "b"]})),
        ("{\"a\":\t{\"b\": 0.5}}", json!({"a": {"b": 0.5}})),
        ("a: |\n  b\n", json!({"a": "b\n"})),
    ] {
        assert_eq!(value_of(text), Ok(means), "{text}");
    }
    // Each of these would be a hundred thousand values.
    let copied = format!("a: &a [{}]\n{}", "1,".repeat(1000), "b: *a\n".repeat(100));
    for (text, says) in [
        ("a: &x 1\nb: *x", "line 2: no alias is taken here"),
        ("a: &x {b: 1}\nc: {<<: *x}", "line 2: no alias is taken here"),
        (&copied, "line 2: no alias is taken here"),
        ("a: 1\n---\nb: 2", "line 2: a second document"),
        ("a: b: c", "line 1: not YAML: "),
        ("{", "line 2: not YAML: "),
    ] {
        let problem = value_of(text).unwrap_err();
        assert!(problem.starts_with(says) && !problem.contains('\n'), "{problem}");
    }
}

/// Each of these ends with an error that names the line, and none with a panic.
#[test]
fn what_is_no_document() {
    let deep = |open: &str, close: &str| format!("a: {}{}", open.repeat(200), close.repeat(200));
    let blocks: String = (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    for (text, line, says) in [
        ("a: b: c", 1, "mapping values are not allowed"),
        ("x: 1\na: [1", 3, "did not find expected ',' or ']'"),
        ("a: \"b", 1, "unexpected end of stream"),
        ("a: \"b\\", 1, "unexpected end of stream"),
        ("a: 'b", 1, "unexpected end of stream"),
        ("a: \"\\q\"", 1, "unknown escape"),
        ("a: \"\\ud83d\"", 1, "invalid Unicode"),
        ("x: 1\n\ta: b", 2, "a tab character"),
        ("a: *b", 1, "`b` is not known"),
        ("a: &a [*a]", 1, "`a` is not known"),
        ("a: {<<: 1}", 1, "`<<` takes"),
        ("a: {<<: [1]}", 1, "`<<` takes"),
        ("a: 1\n...\nb: 2\n", 3, "document start"),
        ("a: 1\r---\rb: 2\n", 2, "a second document"),
        ("a: |\n  x\n ---\n", 3, "did not find expected"),
        ("%YAML 1.1\n---\na: 1\n", 2, "document start"),
        ("a: [!b, c]", 1, "the comma after the tag"),
        ("a: {b: !!str, c: d}", 1, "the comma after the tag"),
        ("x: 1\na: ['!x, y', !b,c]", 2, "the comma after the tag"),
        ("--- a: 1\n", 1, "behind `---`"),
        ("a: 1\n---b\n", 2, "behind `---`"),
        ("a: \u{1}", 1, ""),
        ("a: \u{7f}", 1, ""),
        (&deep("[", "]"), 1, "nested deeper than 100 levels"),
        (&deep("{a: ", "}"), 1, "nested deeper than 100 levels"),
        (&blocks, 100, "nested deeper than 100 levels"),
    ] {
        let problem = values(text).unwrap_err();
        assert!(problem.starts_with(&format!("line {line}: ")), "{text}: {problem}");
        assert!(problem.contains(says), "{text}: {problem}");
        assert!(!problem.contains('\n'), "{text}: {problem}");
    }
}

#[test]
fn a_comma_after_an_exclamation_mark_is_no_tag() {
    for text in ["a: Hi !you, there", "a: [\"x !y, z\", 'a !b,']", "a: [b!c, d] # !e, f"] {
        assert!(value(text)["a"].is_string() || value(text)["a"].is_array(), "{text}");
    }
    assert_eq!(value("a: [!b c, !d ,e]"), json!({"a": ["c", "", "e"]}));
}

#[test]
fn a_text_needs_no_line_break_at_its_end() {
    assert_eq!(value("a: |\n  b"), json!({"a": "b\n"}));
    assert_eq!(value("a: >-\n  b\n  c"), json!({"a": "b c"}));
    assert_eq!(value("a: b # c"), json!({"a": "b"}));
    assert_eq!(value("\u{feff}a: b\r\nc: d\r\n"), json!({"a": "b", "c": "d"}));
}

#[test]
fn aliases_do_not_multiply_without_end() {
    let mut wide = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    let mut tall = "a0: &a0 [x]\n".to_owned();
    for n in 1..150 {
        let last = n - 1;
        wide += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{last}"); 10].join(", "));
        tall += &format!("a{n}: &a{n} [*a{last}]\n");
    }
    for text in [wide, tall] {
        let problem = values(&text).unwrap_err();
        assert!(problem.contains("aliases add"), "{problem}");
    }
}

#[test]
fn a_document_of_too_many_values() {
    let text = format!("a: [{}]", "b,".repeat(97));
    assert!(compose_within(100, &text, 1, &mut Copies::default()).is_ok());
    let text = format!("a:\n- {}", "b\n- ".repeat(100));
    let problem = compose_within(100, &text, 1, &mut Copies::default()).unwrap_err();
    assert_eq!(problem, "line 99: more than 100 values");
}

#[test]
fn a_byte_order_mark_is_no_part_of_it() {
    assert!(compose("\u{feff}a: 1\n", 1, &mut Copies::default()).is_ok());
    let problem = compose("\u{feff}containers: [{name: !a,image: b}]\n", 1, &mut Copies::default())
        .unwrap_err();
    assert_eq!(problem, "line 1: put a space before the comma after the tag");
}
