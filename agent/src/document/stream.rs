//! A file's text, split into documents as kubectl splits it (apimachinery's YAMLOrJSONDecoder).
//!
//! Text that begins with `{` is a series of JSON values; where that fails after at most one of
//! them, the rest is YAML. YAML is split at lines that begin with `---`, whatever it says there.

use serde_json::Value;

use super::compose::{Copies, compose};
use super::json::syntax_error;
use super::{Content, Document, List, Object};

/// Reads the documents one after the other.
pub struct Documents<'t> {
    text: &'t str,
    /// How far the text has been read.
    at: usize,
    /// How many JSON values have been read; `None` once it is YAML.
    json: Option<usize>,
    /// A place in the text, and the number of its line.
    line: (usize, usize),
    copies: Copies,
}

impl<'t> Documents<'t> {
    /// The documents of `text`.
    pub fn new(text: &'t str) -> Self {
        let json = text.trim_start().starts_with('{').then_some(0);
        Self { text, at: 0, json, line: (0, 1), copies: Copies::default() }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// The number of the line that has been reached, from 1.
    fn line(&mut self) -> usize {
        let (from, line) = self.line;
        self.line = (self.at, line + self.text[from..self.at].matches('\n').count());
        self.line.1
    }

    fn next_json(&mut self, count: usize) -> Result<Document<'t>, String> {
        let rest = self.rest();
        if let Some(list) = List::find(rest) {
            let list = list.at_line(self.line());
            return Ok(self.take_json(
                json_document(list.text(), Content::List(list)),
                rest,
                count,
            ));
        }
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let error = match values.next() {
            Some(Ok(value)) => {
                let document = json_object(&rest[..values.byte_offset()], value);
                return Ok(self.take_json(document, rest, count));
            }
            Some(Err(error)) => error,
            None => return Ok(Document { lead: rest, ..blank("") }),
        };
        let problem = syntax_error(&error, self.line());
        if count > 1 {
            return Err(problem);
        }
        self.json = None;
        self.next_yaml().map_err(|_| problem)
    }

    /// Moves on behind a document, and behind white space if nothing else follows.
    fn take_json(&mut self, document: Document<'t>, rest: &'t str, count: usize) -> Document<'t> {
        let (mut length, mut tail) = (document.lead.len() + document.body.len(), "");
        if rest[length..].trim_start().is_empty() {
            tail = &rest[length..];
            length = rest.len();
        } else if let Some(line) = rest[length..].strip_prefix('\n') {
            // What follows may be YAML, whose `---` begins a line.
            tail = &rest[length..rest.len() - line.len()];
            length += tail.len();
        }
        self.at += length;
        self.json = Some(count + 1);
        Document { tail, ..document }
    }

    fn next_yaml(&mut self) -> Result<Document<'t>, String> {
        let (rest, line) = (self.rest(), self.line());
        let mut lead = 0;
        if rest.starts_with("---") {
            lead = rest.find('\n').map_or(rest.len(), |end| end + 1);
            let behind = rest[3..lead].trim();
            if !behind.is_empty() && !behind.starts_with('#') {
                return Err(format!("line {line}: not YAML: `{behind}` behind `---`"));
            }
        }
        let (lead, body) = rest.split_at(lead);
        let end = separator(body);
        let body = &body[..end];
        self.at += lead.len() + end;
        let first = line + lead.matches('\n').count();
        yaml_document(lead, body, first, &mut self.copies)
    }
}

impl<'t> Iterator for Documents<'t> {
    type Item = Result<Document<'t>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest().is_empty() {
            return None;
        }
        let document = match self.json {
            Some(count) => self.next_json(count),
            None => self.next_yaml(),
        };
        if document.is_err() {
            self.at = self.text.len();
        }
        Some(document)
    }
}

/// Where the next line that begins with `---` begins.
fn separator(body: &str) -> usize {
    if body.starts_with("---") {
        return 0;
    }
    body.find("\n---").map_or(body.len(), |end| end + 1)
}

fn yaml_document<'t>(
    lead: &'t str,
    body: &'t str,
    line: usize,
    copies: &mut Copies,
) -> Result<Document<'t>, String> {
    let end = body.trim_end().len();
    if let Some(document) = json_in_yaml(&body[..end], line) {
        // A line `---` and white space both come before it: the line is what counts.
        return Ok(Document { lead, tail: &body[end..], ..document });
    }
    Ok(match compose(body, line, copies)? {
        Some(tree) => {
            let value = tree.value();
            Document { lead, body, tail: "", content: Content::Object(Object::Yaml(tree, value)) }
        }
        None => Document { lead, ..blank(body) },
    })
}

/// A document between lines `---` that is JSON as a whole.
fn json_in_yaml(text: &str, line: usize) -> Option<Document<'_>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    match List::find(text) {
        Some(list) if list.text() == text => {
            Some(json_document(text, Content::List(list.at_line(line))))
        }
        _ => serde_json::from_str(text).ok().map(|value| json_object(text, value)),
    }
}

fn json_object(text: &str, value: Value) -> Document<'_> {
    json_document(text, Content::Object(Object::Json(text.trim_start().into(), value)))
}

fn json_document<'t>(text: &'t str, content: Content<'t>) -> Document<'t> {
    let body = text.trim_start();
    let lead = &text[..text.len() - body.len()];
    Document { lead, body, tail: "", content }
}

fn blank(body: &str) -> Document<'_> {
    Document { lead: "", body, tail: "", content: Content::Blank }
}
