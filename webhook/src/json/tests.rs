//! serde_json is the oracle of what is JSON; Go 1.26's encoding/json of what is written.

use super::*;

fn read(text: &str) -> std::result::Result<&str, SyntaxError> {
    let mut reader = Reader::new(text);
    let raw = reader.raw().and_then(|raw| reader.end().map(|()| raw));
    raw.map_err(|Stop| reader.error())
}

fn string(text: &str) -> String {
    Reader::new(text).string().unwrap().into_owned()
}

/// serde_json is the oracle of what is JSON, and of what a string says.
#[test]
fn agrees_with_serde_json_on_what_is_json() {
    for text in [
        "",
        " ",
        "{}",
        "[]",
        " { } ",
        "[ ]",
        "null",
        "nul",
        "true",
        "tru",
        "false",
        "falsee",
        "0",
        "-0",
        "01",
        "-",
        "1.",
        "1.5",
        ".5",
        "1e5",
        "1e",
        "1E+5",
        "1e-",
        "+1",
        "0x1",
        "\"\"",
        "\"",
        "\"a",
        "\"\\",
        "\"\\q\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\u{1}\"",
        "\"\u{7f}\"",
        "[1,2]",
        "[1 2]",
        "[1,]",
        "[,1]",
        "[",
        "]",
        "{\"a\":1}",
        "{\"a\" : [ 1 , {} ] }",
        "{\"a\"}",
        "{a:1}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1}x",
        "{} {}",
        "{1:2}",
        "\u{feff}{}",
        "NaN",
        "Infinity",
        "'a'",
        "{\"a\":{\"b\":{\"c\":[[[null]]]}}}",
    ] {
        let oracle = serde_json::from_str::<serde_json::Value>(text).is_ok();
        assert_eq!(read(text).is_ok(), oracle, "{text:?}");
    }
    assert_eq!(read(" {\"a\" : 1 }  "), Ok("{\"a\" : 1 }"));
}

#[test]
fn strings_are_unescaped() {
    for text in [
        r#""""#,
        r#""a""#,
        r#""\"\\\/\b\f\n\r\t""#,
        r#""\u0041\u00e9\u20AC""#,
        r#""\ud83d\ude00""#,
        r#""é€😀""#,
        r#""a\nb\nc""#,
        r#""\u0024(HOME)""#,
    ] {
        assert_eq!(string(text), serde_json::from_str::<String>(text).unwrap(), "{text}");
    }
    // serde_json refuses lone surrogates; Go replaces them.
    for text in [r#""\ud83d""#, r#""\ude00""#] {
        assert_eq!(string(text), "\u{fffd}", "{text}");
    }
    assert_eq!(string(r#""\ud83d\u0041""#), "\u{fffd}A");
    assert_eq!(string(r#""\ud83d\ud83d\ude00""#), "\u{fffd}😀");
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    assert!(read(&nested(MAX_DEPTH)).is_ok());
    let error = read(&nested(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(error.to_string(), "not JSON: expected less nesting at byte 128");
    assert!(read(&"[".repeat(1 << 20)).is_err());
    assert!(read(&"{\"a\":".repeat(1 << 18)).is_err());
}

#[test]
fn siblings_are_not_nesting() {
    let flat = "[".to_string() + &vec!["[]"; 1000].join(",") + "]";
    assert!(read(&flat).is_ok());
}

/// Go 1.26: json.Marshal of the same strings.
#[test]
fn strings_are_written_as_go_writes_them() {
    for (text, json) in [
        ("", r#""""#),
        ("a\"b\\c/d", r#""a\"b\\c/d""#),
        ("\u{8}\u{c}\n\r\t\0\u{1f}\u{7f}", "\"\\b\\f\\n\\r\\t\\u0000\\u001f\u{7f}\""),
        ("<a href='x'>&</a>", r#""\u003ca href='x'\u003e\u0026\u003c/a\u003e""#),
        ("\u{2027}\u{2028}\u{2029}é😀", "\"\u{2027}\\u2028\\u2029é😀\""),
    ] {
        let mut out = String::new();
        write_string(&mut out, text);
        assert_eq!(out, json);
    }
}

#[test]
fn a_dollar_that_the_kubelet_would_expand_is_escaped() {
    for (text, json) in [
        ("$", r#""$""#),
        ("a$b$", r#""a$b$""#),
        ("$(A)", r#""\u0024(A)""#),
        ("$$", r#""\u0024$""#),
        ("$$(A)", r#""\u0024\u0024(A)""#),
        ("$<", r#""$\u003c""#),
    ] {
        let mut out = String::new();
        write_string(&mut out, text);
        assert_eq!(out, json);
        assert_eq!(string(&out), text);
    }
}
