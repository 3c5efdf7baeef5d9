//! What is read is what kubectl reads, and what is written is read the same.
//!
//! | module | what it shows |
//! |---|---|
//! | `meaning` | scalars: a table that go-yaml v2 filled in |
//! | `composing` | aliases, merge keys, and YAML that is refused |
//! | `splitting` | files into documents |
//! | `writing` | a changed document keeps what it does not change |
//! | `round_trip` | generated documents, written and read again |

mod composing;
mod meaning;
mod round_trip;
mod splitting;
mod writing;

use serde_json::Value;

use super::{Document, Documents};

/// The values of a text's documents, empty ones left out.
fn values(text: &str) -> Result<Vec<Value>, String> {
    let documents: Vec<Document> = Documents::new(text).collect::<Result<_, _>>()?;
    Ok(documents.iter().filter_map(Document::value).cloned().collect())
}

/// The value of the only document.
fn value(text: &str) -> Value {
    let values = values(text).unwrap_or_else(|problem| panic!("{problem}: {text}"));
    assert_eq!(values.len(), 1, "{text}");
    values.into_iter().next().unwrap()
}
