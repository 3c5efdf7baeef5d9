//! Which filter a pod takes.

use std::fmt;
use std::str::FromStr;

/// The value of the label [`FILTER_LABEL`](super::FILTER_LABEL), which an EnvoyFilter selects: `true`, or
/// another where two filters are in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision(String);

/// The label's value of a pod that takes no filter.
pub(super) const NONE: &str = "false";

/// Characters of a label's value.
const LONGEST: usize = 63;

impl Revision {
    /// As the label has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Revision {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let ends = [text.bytes().next(), text.bytes().last()];
        let is_value = ends.iter().all(|end| end.is_some_and(|b| b.is_ascii_alphanumeric()));
        if !is_value || text.len() > LONGEST || !text.bytes().all(inner) {
            return Err("no value of a label: letters, digits, `-`, `_` and `.`, 63 at most");
        }
        if text == NONE {
            return Err("a pod with the label's value false takes no filter");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
