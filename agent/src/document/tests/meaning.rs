use serde_json::{Value, json};

use super::{value, values};

fn scalar(text: &str) -> Value {
    value(&format!("a: {text}\n"))["a"].clone()
}

/// sigs.k8s.io/yaml 1.6.0 gave these.
#[test]
fn plain_scalars() {
    for (text, means) in [
        ("", json!(null)),
        ("~", json!(null)),
        ("NULL", json!(null)),
        ("nulL", json!("nulL")),
        ("y", json!(true)),
        ("Yes", json!(true)),
        ("on", json!(true)),
        ("TRUE", json!(true)),
        ("tRue", json!("tRue")),
        ("n", json!(false)),
        ("NO", json!(false)),
        ("Off", json!(false)),
        ("0", json!(0)),
        ("-0", json!(0)),
        ("+1", json!(1)),
        ("0644", json!(420)),
        ("0o644", json!(420)),
        ("0O17", json!(15)),
        ("00", json!(0)),
        ("08", json!(8.0)),
        ("012345678", json!(12345678.0)),
        ("07777777777777777777777777", json!(7.777777777777778e24)),
        ("0x1F", json!(31)),
        ("0X1f", json!(31)),
        ("0xg", json!("0xg")),
        ("0x", json!("0x")),
        ("+0x10", json!(16)),
        ("0x1p4", json!("0x1p4")),
        ("0xFFFFFFFFFFFFFFFF", json!(u64::MAX)),
        ("0x1FFFFFFFFFFFFFFFFF", json!("0x1FFFFFFFFFFFFFFFFF")),
        ("0b101", json!(5)),
        ("0b2", json!("0b2")),
        ("0b-1", json!(-1)),
        ("-0b1", json!(-1)),
        ("-0b-1", json!("-0b-1")),
        ("1_000", json!(1000)),
        ("1__0_", json!(10)),
        ("_1", json!("_1")),
        ("0_7", json!(7)),
        ("1.", json!(1.0)),
        (".5", json!(0.5)),
        (".5_0", json!(0.5)),
        ("._5", json!("._5")),
        (".", json!(".")),
        (".e5", json!(".e5")),
        ("+", json!("+")),
        ("--", json!("--")),
        ("1e3", json!(1000.0)),
        ("1E+3", json!(1000.0)),
        ("1e-7", json!(1e-7)),
        ("1e400", json!("1e400")),
        ("1e-400", json!(0.0)),
        ("1e", json!("1e")),
        ("9223372036854775808", json!(9223372036854775808u64)),
        ("18446744073709551615", json!(u64::MAX)),
        ("18446744073709551616", json!(18446744073709551616.0)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("-9223372036854775809", json!(-9223372036854775809.0)),
        ("+18446744073709551615", json!(18446744073709551615.0)),
        ("12:30:45", json!("12:30:45")),
        ("2001-01-01", json!("2001-01-01")),
        ("1.2.3", json!("1.2.3")),
        ("10Mi", json!("10Mi")),
        ("<<", json!("<<")),
        ("=", json!("=")),
    ] {
        let read = scalar(text);
        // kubectl makes an integer of a float without a fraction.
        let same = read == means || read.as_f64().is_some() && read.as_f64() == means.as_f64();
        assert!(same, "{text}: {read}, not {means}");
    }
}

#[test]
fn quoted_and_tagged_scalars() {
    for (text, means) in [
        ("'yes'", json!("yes")),
        ("\"012\"", json!("012")),
        ("''", json!("")),
        ("! 012", json!("012")),
        ("!foo 5", json!("5")),
        ("!!str yes", json!("yes")),
        ("!!int '5'", json!(5)),
        ("!!float 5", json!(5)),
        ("!!bool yes", json!(true)),
        ("!!null ''", json!(null)),
        ("!!timestamp 2001-01-01", json!("2001-01-01")),
        ("!!binary aGVsbG8=", json!("hello")),
        ("!!binary \"aGVs\\nbG8=\"", json!("hello")),
        ("!!binary ''", json!("")),
        ("!!binary /w==", json!("\u{fffd}")),
        // Go does not look at the last bits.
        ("!!binary aGVsbG9=", json!("hello")),
    ] {
        assert_eq!(scalar(text), means, "{text}");
    }
}

#[test]
fn scalars_without_a_meaning() {
    for text in [
        ".inf",
        "-.Inf",
        ".nan",
        "!!int 1.5",
        "!!bool 1",
        "!!null x",
        "!!float abc",
        "!!binary aGVsbG8",
        "!!binary =aGV",
        "!!binary aGVs=",
        "!!binary aGVsbG8=aGVs",
        "!!binary aGVs bG8=",
        "!!binary aGVsbG-_",
    ] {
        let problem = values(&format!("x: 1\na: {text}\n")).unwrap_err();
        assert!(problem.starts_with("line 2: `"), "{text}: {problem}");
    }
}

#[test]
fn keys_are_strings_in_json() {
    for (text, name) in [
        ("yes", "true"),
        ("'yes'", "yes"),
        ("N", "false"),
        ("0644", "420"),
        ("1_000", "1000"),
        ("'1.10'", "1.10"),
        ("! 1.10", "1.10"),
        ("1e400", "1e400"),
        ("2001-01-01", "2001-01-01"),
    ] {
        let object = value(&format!("{text}: 1\n"));
        assert_eq!(object, json!({ name: 1 }), "{text}");
    }
    for text in ["~: 1", "{a: b}: 1", "? [a]\n: 1", ": 1"] {
        assert!(values(text).is_err(), "{text}");
    }
}

/// At the key's line, whatever its value is.
#[test]
fn a_key_that_is_no_string_in_json_is_refused_with_its_line() {
    let floats = ["1.10", "08", "100000.0", "1234567.5", "-0.0", "1e3", "!!float '5.5'"];
    let float = |key: &str| {
        let text = key.strip_prefix("!!float ").unwrap_or(key).replace('\'', "");
        (key.to_owned(), format!("the key `{text}` is a float: put it in quotes"))
    };
    let null = ("~".to_owned(), "the key `~` is null, and must be a string".to_owned());
    for (key, problem) in floats.map(float).into_iter().chain([null]) {
        let text = format!("a: 1\nb:\n  {key}:\n    c: 1\n    d: 2\n");
        assert_eq!(values(&text).unwrap_err(), format!("line 3: {problem}"), "{key}");
    }
}
