//! YAML out: a tree, through libyaml's emitter, each scalar in the style that it had.

use libyaml_safer::{Emitter, Encoding, Event, MappingStyle, ScalarStyle, SequenceStyle};

use super::node::{Layout, Member, Node};
use super::resolve::{self, Meaning};
use super::scalar::{Form, Scalar};

type Result<T> = std::result::Result<T, libyaml_safer::Error>;

/// The tree as one YAML document, without a line `---`, in block style with two spaces.
pub fn emit(node: &Node) -> Result<String> {
    emit_document(String::new(), |emitter| {
        emit_node(emitter, node, Place { flow: false, key: false })
    })
}

/// Appends a List in the same way: its head, in which `items` is empty, and these items.
pub fn emit_list(
    out: String,
    head: &Node,
    mut items: impl Iterator<Item = Node>,
) -> Result<String> {
    let place = Place { flow: false, key: false };
    emit_document(out, |emitter| {
        emitter.emit(Event::mapping_start(None, None, true, MappingStyle::Block))?;
        for member in head.members() {
            emitter.emit(scalar_event(&member.key, Place { key: true, ..place }))?;
            if member.name == "items" {
                emitter.emit(Event::sequence_start(None, None, true, SequenceStyle::Block))?;
                items.try_for_each(|item| emit_node(emitter, &item, place))?;
                emitter.emit(Event::sequence_end())?;
            } else {
                emit_node(emitter, &member.value, place)?;
            }
        }
        emitter.emit(Event::mapping_end())
    })
}

fn emit_document(out: String, content: impl FnOnce(&mut Emitter) -> Result<()>) -> Result<String> {
    let mut bytes = out.into_bytes();
    let mut emitter = Emitter::new();
    emitter.set_encoding(Encoding::Utf8);
    emitter.set_output(&mut bytes);
    emitter.set_unicode(true);
    emitter.set_width(-1);
    emitter.emit(Event::stream_start(Encoding::Utf8))?;
    emitter.emit(Event::document_start(None, &[], true))?;
    content(&mut emitter)?;
    emitter.emit(Event::document_end(true))?;
    emitter.emit(Event::stream_end())?;
    drop(emitter);
    // The emitter writes nothing but UTF-8: this makes no copy.
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// What surrounds a node.
#[derive(Clone, Copy)]
struct Place {
    flow: bool,
    key: bool,
}

fn emit_node(emitter: &mut Emitter, node: &Node, place: Place) -> Result<()> {
    match node {
        Node::Scalar(scalar) => emitter.emit(scalar_event(scalar, place)),
        Node::Sequence(layout, items) => {
            let flow = place.flow || *layout == Layout::Flow;
            let style = if flow { SequenceStyle::Flow } else { SequenceStyle::Block };
            emitter.emit(Event::sequence_start(None, None, true, style))?;
            for item in items {
                emit_node(emitter, item, Place { flow, key: false })?;
            }
            emitter.emit(Event::sequence_end())
        }
        Node::Mapping(layout, members) => {
            let flow = place.flow || *layout == Layout::Flow;
            let style = if flow { MappingStyle::Flow } else { MappingStyle::Block };
            emitter.emit(Event::mapping_start(None, None, true, style))?;
            for Member { key, value, .. } in members {
                emitter.emit(scalar_event(key, Place { flow, key: true }))?;
                emit_node(emitter, value, Place { flow, key: false })?;
            }
            emitter.emit(Event::mapping_end())
        }
    }
}

fn scalar_event(scalar: &Scalar, place: Place) -> Event {
    let tag = match &scalar.form {
        Form::Yaml(_, tag) => tag.as_deref(),
        Form::Json(_) | Form::New => None,
    };
    let style = match (&scalar.form, &scalar.meaning) {
        (Form::Yaml(style, Some(_)), _) => keepable(*style, &scalar.text),
        (Form::Yaml(style, None), Meaning::Text) => keepable(*style, &scalar.text),
        (_, Meaning::Text) => style_of_new(&scalar.text),
        _ => ScalarStyle::Plain,
    };
    // Where nothing can stand for null, libyaml would write an empty string.
    let empty = tag.is_none() && scalar.meaning == Meaning::Null && scalar.text.is_empty();
    let text = if empty && (place.flow || place.key) { "null" } else { &scalar.text };
    // Only a string may be quoted where the emitter finds that it cannot stand plain.
    let quotable = tag.is_none() && scalar.meaning == Meaning::Text;
    Event::scalar(None, tag, text, tag.is_none(), quotable, style)
}

/// The style that a scalar had, where the emitter's output in it is read back unchanged.
fn keepable(style: ScalarStyle, text: &str) -> ScalarStyle {
    let kept = match style {
        ScalarStyle::Plain | ScalarStyle::SingleQuoted => text.chars().all(is_printable),
        // Folding again could fold elsewhere.
        ScalarStyle::Literal | ScalarStyle::Folded => {
            return if is_block(text) { ScalarStyle::Literal } else { ScalarStyle::DoubleQuoted };
        }
        ScalarStyle::Any | ScalarStyle::DoubleQuoted => false,
        _ => false,
    };
    if kept { style } else { ScalarStyle::DoubleQuoted }
}

/// Plain where no reader could mistake it, else quoted.
fn style_of_new(text: &str) -> ScalarStyle {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if first && text.chars().all(plain) && resolve::plain(text) == Ok(Meaning::Text) {
        ScalarStyle::Plain
    } else if text.chars().all(is_printable) {
        ScalarStyle::SingleQuoted
    } else if text.contains('\n') && is_block(text) {
        ScalarStyle::Literal
    } else {
        ScalarStyle::DoubleQuoted
    }
}

/// Whether a text can be a literal block scalar without hints of indentation or of kept line breaks.
fn is_block(text: &str) -> bool {
    let printable = text.chars().all(|c| is_printable(c) || c == '\n');
    let begins = !text.is_empty() && !text.starts_with([' ', '\n']);
    printable && begins && !text.ends_with("\n\n")
}

/// What can stand unescaped, and is no line break in YAML 1.1.
fn is_printable(c: char) -> bool {
    let special = matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    !c.is_control() && !special
}
