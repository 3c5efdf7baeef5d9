//! A List, whose items are read one by one, so that memory holds one of them at a time.

use std::ops::Range;

use app_health_webhook::json::{Reader, Stop, ValueType};
use app_health_webhook::manifest::is_list;
use serde_json::{Deserializer, Value};

use super::json::syntax_error;
use super::object::Object;

/// A List as kubectl makes them, or a list of one kind, of JSON.
#[derive(Debug)]
pub struct List<'t> {
    /// All of it but the items: its `items` is empty.
    pub head: Object<'t>,
    text: &'t str,
    /// Where the array of the items stands in the text.
    items: Range<usize>,
    /// The number of the text's first line in its file.
    first_line: usize,
}

impl<'t> List<'t> {
    /// The List that `text` begins with; `None` where it begins with anything else.
    pub fn find(text: &'t str) -> Option<Self> {
        let (items, end) = find_items(text).ok()??;
        let text = &text[..end];
        let head = [&text[..items.start], "[]", &text[items.end..]].concat();
        let value = serde_json::from_str(&head).ok().filter(is_list)?;
        Some(Self { head: Object::Json(head.into(), value), text, items, first_line: 1 })
    }

    /// The same List, at this line of its file.
    pub fn at_line(self, first_line: usize) -> Self {
        Self { first_line, ..self }
    }

    /// All of it.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// Its items, in order. None follows an error.
    pub fn items(&self) -> Items<'t> {
        let text = &self.text[..self.items.end];
        Items { text, at: self.items.start, first_line: self.first_line }
    }
}

/// Where the items of the List that `text` begins with stand, and where the List ends. Anything
/// else is left as soon as it is known to be no List: most objects say so at their beginning.
fn find_items(text: &str) -> Result<Option<(Range<usize>, usize)>, Stop> {
    let mut reader = Reader::new(text);
    let mut items = None;
    let mut members = reader.open()?;
    while let Some(name) = reader.next_key(&mut members)? {
        let from = reader.position();
        let kind = reader.peek()?;
        let value = reader.raw()?;
        match &*name {
            "kind" if !value.ends_with(r#"List""#) => return Ok(None),
            "items" if kind != ValueType::Array => return Ok(None),
            "items" => items = Some(from..from + value.len()),
            _ => {}
        }
    }
    let end = text[..reader.position()].trim_end().len();
    Ok(items.map(|items| (items, end)))
}

/// The items of a List of JSON.
pub struct Items<'t> {
    /// Up to the end of the array, which has been checked.
    text: &'t str,
    /// The bracket, or the comma, before the next one.
    at: usize,
    /// The number of the text's first line in its file.
    first_line: usize,
}

impl<'t> Iterator for Items<'t> {
    type Item = Result<Object<'t>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text[self.at..].get(1..)?.trim_start();
        if rest.is_empty() || rest == "]" {
            return None;
        }
        let mut values = Deserializer::from_str(rest).into_iter::<Value>();
        let value = values.next()?;
        let from = self.text.len() - rest.len();
        let length = values.byte_offset();
        Some(match value {
            Ok(value) => {
                let behind = rest[length..].trim_start();
                self.at = self.text.len() - behind.len();
                Ok(Object::Json(rest[..length].into(), value))
            }
            Err(error) => {
                let line = self.first_line + self.text[..from].matches('\n').count();
                self.at = self.text.len();
                Err(syntax_error(&error, line))
            }
        })
    }
}
