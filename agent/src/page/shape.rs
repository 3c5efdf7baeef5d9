//! The JSON of the page. Members that are not known are passed over: its version grows only when a
//! member goes or changes its meaning.

use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;

/// The shape that is known.
const VERSION: u64 = 1;

/// What the page says.
#[derive(Clone, Debug, Deserialize)]
pub struct Page {
    /// The IP at which the filter asks the app.
    pub address: String,
    /// The status port as the pod has it.
    #[serde(default = "status_port")]
    pub status_port: u16,
    /// What is not valid in the variable or in the plugin configuration.
    pub errors: Vec<String>,
    /// Sorted by path.
    pub probes: Vec<Probe>,
}

/// A recorded probe or hook, and how it goes.
#[derive(Clone, Debug, Deserialize)]
pub struct Probe {
    /// `/app-health/web/readyz`
    pub path: String,
    /// `web`
    pub container: String,
    /// `readiness`, `liveness`, `startup`, `prestop` or `poststart`
    pub probe: String,
    /// The original check in words.
    pub check: String,
    /// How it goes now.
    pub state: State,
    /// How long it has gone so; `None` where nobody asked yet.
    pub state_seconds: Option<f64>,
    /// The word for the last result; `None` where nobody asked yet.
    pub reason: Option<String>,
    /// The line of the last answer; empty where there is none to tell.
    pub text: String,
    /// How often it passed.
    pub passes: u64,
    /// How often it failed, without those that were abandoned.
    pub failures: u64,
    /// Of the check; 0 is no limit.
    pub timeout_seconds: f64,
    /// The original, as the variable has it; `None` where that is not valid.
    pub recorded: Option<Value>,
}

/// How a probe goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The last one passed.
    Passing,
    /// The last one failed.
    Failing,
    /// Nobody asked yet.
    Unknown,
}

/// Of a filter that does not name it.
fn status_port() -> u16 {
    15020
}

#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

/// Reads it.
///
/// # Errors
/// One line: it is no JSON, not the page's, or of a version that is not known.
pub fn decode(text: &[u8]) -> Result<Page, String> {
    let Versioned { version } = serde_json::from_slice(text).map_err(|error| unreadable(&error))?;
    if version != VERSION {
        return Err(format!(
            "the page's JSON is of version {version}, and only {VERSION} is known here: take the \
             app-health-agent that fits the filter"
        ));
    }
    serde_json::from_slice(text).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Data => format!("JSON, but not that of a status page: {error}"),
        _ => format!("the answer is no JSON: {error}"),
    }
}
