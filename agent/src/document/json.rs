//! JSON in and out, as a tree: numbers and strings keep the text that they had.

use std::collections::HashMap;

use app_health_webhook::json::{Items, Reader, Stop, SyntaxError, ValueType};

use super::node::{Layout, Member, Node};
use super::scalar::{Form, Scalar};

/// What serde_json found wrong with a text whose first line has this number in its file.
pub fn syntax_error(error: &serde_json::Error, first_line: usize) -> String {
    let (line, text) = (first_line + error.line() - 1, error.to_string());
    let what = text.split(" at line ").next().unwrap_or_default();
    format!("line {line}: not JSON: {what}")
}

/// Reads the JSON text. Of several equal keys the last one counts.
pub fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut reader = Reader::new(text);
    let node = node(&mut reader, text).and_then(|node| reader.end().map(|()| node));
    node.map_err(|Stop| reader.error())
}

fn node(reader: &mut Reader, text: &str) -> Result<Node, Stop> {
    Ok(match reader.peek()? {
        ValueType::Object => {
            let (mut list, mut items) = (Vec::new(), reader.open()?);
            while let Some(member) = member(reader, text, &mut items)? {
                list.push(member);
            }
            Node::Mapping(Layout::Block, last_of_each_name(list))
        }
        ValueType::Array => {
            let (mut list, mut items) = (Vec::new(), reader.open()?);
            while reader.next_item(&mut items)? {
                list.push(node(reader, text)?);
            }
            Node::Sequence(Layout::Block, list)
        }
        ValueType::String => {
            let from = reader.position();
            let content = reader.string()?;
            Node::Scalar(string(&content, quoted(&text[from..])))
        }
        ValueType::Number | ValueType::Bool | ValueType::Null => {
            Node::Scalar(Scalar::literal(reader.raw()?.to_owned()))
        }
    })
}

fn member(reader: &mut Reader, text: &str, items: &mut Items) -> Result<Option<Member>, Stop> {
    // `next_key` gives the content; the text of the key is looked up behind the comma.
    let from = reader.position();
    let Some(name) = reader.next_key(items)? else { return Ok(None) };
    let quote = text[from..].find('"').map_or(from, |at| from + at);
    let key = string(&name, quoted(&text[quote..]));
    let name = name.into_owned();
    Ok(Some(Member { key, name, value: node(reader, text)? }))
}

fn string(content: &str, source: &str) -> Scalar {
    Scalar { form: Form::Json(source.to_owned()), ..Scalar::string(content) }
}

/// The string at the beginning of `text`, with its quotes. It has been checked.
fn quoted(text: &str) -> &str {
    // The opening quote is no end.
    let mut escaped = true;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' if !escaped => return &text[..=at],
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text
}

fn last_of_each_name(mut list: Vec<Member>) -> Vec<Member> {
    let mut last = HashMap::new();
    for (at, member) in list.iter().enumerate() {
        last.insert(member.name.clone(), at);
    }
    if last.len() < list.len() {
        let mut at = 0..;
        list.retain(|member| last.get(&member.name) == at.next().as_ref());
    }
    list
}

/// Whether to write JSON on one line, or with an indentation of four spaces, as kubectl does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One line, no spaces.
    Compact,
    /// A line for each item.
    Indented,
}

/// Writes a tree as JSON, without a line break at the end.
pub fn write(node: &Node, shape: Shape) -> String {
    let mut writer = Writer { out: String::new(), shape, depth: 0 };
    writer.node(node);
    writer.out
}

/// Appends a List in the same way: its head, in which `items` is empty, and these items.
pub fn write_list(
    out: String,
    head: &Node,
    mut items: impl Iterator<Item = Node>,
    shape: Shape,
) -> String {
    let mut writer = Writer { out, shape, depth: 0 };
    writer.list('{', head.members(), '}', |writer, member| {
        if member.name == "items" {
            writer.key(member);
            writer.list('[', &mut items, ']', |writer, item| writer.node(&item));
        } else {
            writer.member(member);
        }
    });
    writer.out
}

struct Writer {
    out: String,
    shape: Shape,
    depth: usize,
}

impl Writer {
    fn node(&mut self, node: &Node) {
        match node {
            Node::Scalar(scalar) => self.out.push_str(&scalar.json()),
            Node::Sequence(_, items) => {
                self.list('[', items, ']', |writer, item| writer.node(item))
            }
            Node::Mapping(_, members) => self.list('{', members, '}', Self::member),
        }
    }

    fn member(&mut self, member: &Member) {
        self.key(member);
        self.node(&member.value);
    }

    fn key(&mut self, member: &Member) {
        match &member.key.form {
            Form::Json(source) => self.out.push_str(source),
            _ => self.out.push_str(&serde_json::Value::from(member.name.as_str()).to_string()),
        }
        self.out.push_str(if self.shape == Shape::Compact { ":" } else { ": " });
    }

    fn list<T>(
        &mut self,
        open: char,
        items: impl IntoIterator<Item = T>,
        close: char,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.out.push(open);
        self.depth += 1;
        let mut empty = true;
        for item in items {
            if !empty {
                self.out.push(',');
            }
            empty = false;
            self.line();
            write(self, item);
        }
        self.depth -= 1;
        if !empty {
            self.line();
        }
        self.out.push(close);
    }

    fn line(&mut self) {
        if self.shape == Shape::Indented {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("    ", self.depth));
        }
    }
}
