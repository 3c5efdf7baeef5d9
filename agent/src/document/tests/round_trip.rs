use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::compose::{Copies, compose};
use super::super::emit::emit;
use super::super::json::{self, Shape};
use super::super::node::{Layout, Member, Node};
use super::super::resolve::Meaning;
use super::super::scalar::{Form, Scalar};
use libyaml_safer::ScalarStyle::{DoubleQuoted, Folded, Literal, Plain, SingleQuoted};

const NASTY: &[&str] = &[
    "",
    " ",
    "  ",
    "yes",
    "no",
    "y",
    "on",
    "~",
    "null",
    "Null",
    "true",
    "012",
    "0o17",
    "0x1f",
    "0b1",
    "1_000",
    "1e3",
    ".5",
    "1.",
    "-",
    "- a",
    "-a",
    "?",
    "? a",
    ":",
    "a:",
    "a: b",
    "a:b",
    "#x",
    "a #b",
    "a#b",
    "[",
    "]",
    "{}",
    "a,b",
    ",",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "'",
    "''",
    "\"",
    "\\",
    "%a",
    "@a",
    "`a",
    "---",
    "--- a",
    "...",
    "<<",
    "=",
    "a\n",
    "\na",
    "a\n\n",
    "\n",
    "\n\n",
    "a\nb",
    " a\nb",
    "a \nb",
    "a\n b\n",
    "a\n\nb\n",
    "a\n \nb",
    "\ta",
    "a\t",
    "a\tb",
    "\t\n",
    "a\n\tb",
    "a\r\nb",
    "\r",
    " a",
    "a ",
    "ä",
    "日本",
    "😀",
    "a\u{85}b",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "a\u{2029}\nb",
    "\u{feff}",
    "\u{7f}",
    "\0",
    "\u{1b}[0m",
    "\u{fffe}",
    "\u{ffff}",
    "\u{d7ff}\u{e000}",
    "2001-01-01",
    "12:30:45",
    "$(HOME)",
    "{{ x }}",
    "key: |\n  x\n",
    "- a\n- b\n",
    "# c\na",
    "a\n# c\n",
    "a\n---\nb",
    "a\n...\n",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => proptest::sample::select(NASTY).prop_map(str::to_owned),
        1 => vec(proptest::sample::select(NASTY), 1..4).prop_map(|parts| parts.concat()),
        1 => vec(any::<char>(), 0..8).prop_map(String::from_iter),
        1 => "[a-zA-Z0-9_.:/ -]{0,160}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => text().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<i16>().prop_map(|n| json!(f64::from(n) / 8.0)),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((text(), inner), 0..5).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// A tree of the value, its strings in styles and its collections in layouts chosen by `choices`:
/// forms such as a YAML text could have given them.
fn styled(value: &Value, choices: &mut impl Iterator<Item = u8>) -> Node {
    let layout =
        if choices.next().unwrap_or(0).is_multiple_of(3) { Layout::Flow } else { Layout::Block };
    match value {
        Value::Array(items) => {
            Node::Sequence(layout, items.iter().map(|item| styled(item, choices)).collect())
        }
        Value::Object(members) => {
            let mut list = Vec::new();
            for (name, value) in members {
                let key = styled_string(name, choices);
                list.push(Member { key, name: name.clone(), value: styled(value, choices) });
            }
            Node::Mapping(layout, list)
        }
        Value::String(text) => Node::Scalar(styled_string(text, choices)),
        Value::Null if choices.next().unwrap_or(0).is_multiple_of(2) => {
            let form = Form::Yaml(Plain, None);
            Node::Scalar(Scalar { text: String::new(), meaning: Meaning::Null, form })
        }
        _ => Node::new(value),
    }
}

fn styled_string(text: &str, choices: &mut impl Iterator<Item = u8>) -> Scalar {
    let styles = [SingleQuoted, DoubleQuoted, Literal, Folded, Plain];
    let style = styles[usize::from(choices.next().unwrap_or(0)) % styles.len()];
    // Text that means something else when it is plain can only have come in quotes.
    let tag = (style == Plain).then(|| "tag:yaml.org,2002:str".to_owned());
    Scalar { form: Form::Yaml(style, tag), ..Scalar::string(text) }
}

fn read_again(text: &str) -> Value {
    let node = compose(text, 1, &mut Copies::default())
        .unwrap_or_else(|problem| panic!("{problem}:\n{text}"));
    node.map_or(Value::Null, |node| node.value())
}

/// Integers that happened to be written as floats are the same to kubectl.
fn numbers_alike(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.into_iter().map(numbers_alike).collect(),
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| (name, numbers_alike(value)))
                .collect::<Map<_, _>>(),
        ),
        _ => value,
    }
}

#[test]
fn every_nasty_string_in_every_style_and_place() {
    for text in NASTY {
        for choice in 0..5 {
            for (layout, name) in [(Layout::Flow, "flow"), (Layout::Block, "block")] {
                let scalar = || styled_string(text, &mut [choice].into_iter());
                let member = |key, name: &str, value| Member { key, name: name.to_owned(), value };
                let inner =
                    Node::Mapping(layout, vec![member(scalar(), text, Node::Scalar(scalar()))]);
                let list = Node::Sequence(layout, vec![Node::Scalar(scalar()), inner]);
                let outer = Node::Mapping(layout, vec![member(Scalar::string("a"), "a", list)]);
                let out = emit(&outer).unwrap();
                assert_eq!(read_again(&out), outer.value(), "{name} {choice}:\n{out}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn new_values_survive_yaml(value in value()) {
        let out = emit(&Node::new(&value)).unwrap();
        prop_assert_eq!(numbers_alike(read_again(&out)), numbers_alike(value), "{}", out);
    }

    #[test]
    fn styled_trees_survive_yaml(value in value(), choices in vec(any::<u8>(), 64)) {
        let tree = styled(&value, &mut choices.into_iter().cycle());
        let out = emit(&tree).unwrap();
        prop_assert_eq!(numbers_alike(read_again(&out)), numbers_alike(value), "{}", &out);
        // Written once more, the text stays: nothing creeps.
        let again = compose(&out, 1, &mut Copies::default()).unwrap().map(|node| emit(&node).unwrap());
        prop_assert_eq!(again.unwrap_or(out.clone()), out);
    }

    #[test]
    fn values_survive_json(value in value(), compact: bool) {
        let shape = if compact { Shape::Compact } else { Shape::Indented };
        let out = json::write(&Node::new(&value), shape);
        let read: Value = serde_json::from_str(&out).unwrap();
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(json::write(&json::parse(&out).unwrap(), shape), out);
    }

    /// Whatever the text, reading ends with documents or an error.
    #[test]
    fn no_text_makes_it_panic(parts in vec(proptest::sample::select(NASTY), 0..12)) {
        for between in ["", " ", "\n", ": ", "\n- ", ", ", "["] {
            let _ = super::values(&parts.join(between));
        }
    }
}
