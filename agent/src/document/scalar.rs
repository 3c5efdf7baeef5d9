//! A scalar with the form it had, so that it can be written again as it was.

use libyaml_safer::ScalarStyle;
use serde_json::Value;

use super::resolve::Meaning;

/// A string, number, boolean or null.
#[derive(Clone, Debug)]
pub struct Scalar {
    /// A string's content, without quotes and escapes; of anything else the text as it stood.
    pub text: String,
    /// Its value.
    pub meaning: Meaning,
    /// How it was written.
    pub form: Form,
}

/// How a scalar was written.
#[derive(Clone, Debug)]
pub enum Form {
    /// In YAML, with this style and this explicit tag.
    Yaml(ScalarStyle, Option<String>),
    /// In JSON: a string with its quotes and escapes, or any other scalar.
    Json(String),
    /// Not yet: it is new.
    New,
}

impl Scalar {
    /// A new string.
    pub fn string(text: &str) -> Self {
        Self { text: text.to_owned(), meaning: Meaning::Text, form: Form::New }
    }

    /// A new scalar that is no string, from its JSON text.
    pub fn literal(text: String) -> Self {
        let meaning = match text.as_str() {
            "null" => Meaning::Null,
            "true" => Meaning::Bool(true),
            "false" => Meaning::Bool(false),
            _ => Meaning::Number(text.clone()),
        };
        Self { text, meaning, form: Form::New }
    }

    /// Bytes of all the text that it holds.
    pub fn length(&self) -> usize {
        let meaning = match &self.meaning {
            Meaning::Number(text) | Meaning::Binary(text) => text.len(),
            Meaning::Null | Meaning::Bool(_) | Meaning::Text => 0,
        };
        let form = match &self.form {
            Form::Yaml(_, Some(text)) | Form::Json(text) => text.len(),
            Form::Yaml(_, None) | Form::New => 0,
        };
        self.text.len() + meaning + form
    }

    /// Its value; a number beyond 64 bits becomes a float, as in kubectl.
    pub fn value(&self) -> Value {
        match &self.meaning {
            Meaning::Null => Value::Null,
            Meaning::Bool(value) => Value::Bool(*value),
            Meaning::Number(number) => serde_json::from_str(number).unwrap_or_default(),
            Meaning::Text => Value::String(self.text.clone()),
            Meaning::Binary(text) => Value::String(text.clone()),
        }
    }

    /// Its JSON: what stood there, where that was JSON.
    pub fn json(&self) -> String {
        match (&self.form, &self.meaning) {
            (Form::Json(source), _) => source.clone(),
            (_, Meaning::Number(number)) => number.clone(),
            _ => self.value().to_string(),
        }
    }
}
