//! What a command is given to read: a file of manifests, document by document.

use std::path::Path;

use serde_json::Value;

use crate::document::{Document, Documents};
use crate::exit::Failure;
use crate::input;

/// Largest input, in bytes.
const LARGEST: u64 = 256 << 20;

/// A file that has been read.
pub struct Source {
    /// What a person calls it.
    name: String,
    text: String,
}

impl Source {
    /// Reads a file; `-` is stdin.
    ///
    /// # Errors
    /// One line that names it: it cannot be read, is too large, or is not UTF-8.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let is_stdin = file == Path::new("-");
        let name = if is_stdin { "stdin".into() } else { file.to_string_lossy() };
        let text = input::manifest(file, LARGEST).map_err(|failure| failure.of(&name))?;
        Ok(Self::new(name, text))
    }

    /// A text that was read already.
    pub fn new(name: impl Into<String>, text: String) -> Self {
        Self { name: name.into(), text }
    }

    /// In bytes.
    pub fn length(&self) -> usize {
        self.text.len()
    }

    /// Hands over its documents, one after the other, blank ones too.
    ///
    /// # Errors
    /// One line that names it and the document: it is no Kubernetes object, or not to be taken.
    pub fn each_document<'t>(
        &'t self,
        mut take: impl FnMut(Document<'t>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut number = 0;
        for document in Documents::new(&self.text) {
            let result = match document {
                Ok(document) => {
                    number += usize::from(document.value().is_some());
                    document.value().map_or(Ok(()), says_what_it_is).and_then(|()| take(document))
                }
                Err(problem) => {
                    number += 1;
                    Err(Failure::data(problem))
                }
            };
            result.map_err(|failure| failure.of(&format!("{}: document {number}", self.name)))?;
        }
        if number == 0 {
            let problem = format!("{}: empty: no Kubernetes object in it", self.name);
            return Err(Failure::data(problem));
        }
        Ok(())
    }
}

fn says_what_it_is(object: &Value) -> Result<(), Failure> {
    for field in ["apiVersion", "kind"] {
        if object.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
            let problem = format!("not a Kubernetes object: it has no `{field}`");
            return Err(Failure::data(problem));
        }
    }
    Ok(())
}
