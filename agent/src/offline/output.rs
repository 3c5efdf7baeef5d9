//! What is printed.

use std::borrow::Cow;
use std::fmt::Write;

use app_health_webhook::manifest::owner;
use app_health_webhook::patch::Operation;
use serde_json::{Value, json};

use super::change::Change;
use super::table::Table;
use crate::cli::Output;
use crate::document::{Document, Format};

/// What is to be printed, collected document by document.
pub struct Printout {
    kind: Kind,
    out: String,
    warnings: String,
    table: Table<5>,
}

enum Kind {
    /// In each document's own format, or in this one.
    Manifests(Option<Format>),
    Patches,
    Explanation,
}

impl Printout {
    /// Nothing yet.
    pub fn new(output: Option<Output>, explain: bool) -> Self {
        let kind = match output {
            _ if explain => Kind::Explanation,
            Some(Output::Patch) => Kind::Patches,
            Some(Output::Yaml) => Kind::Manifests(Some(Format::Yaml)),
            Some(Output::Json) => Kind::Manifests(Some(Format::Json)),
            None => Kind::Manifests(None),
        };
        let table = Table::new(["NAME", "CONTAINER", "PROBE", "FROM", "TO"]);
        Self { kind, out: String::new(), warnings: String::new(), table }
    }

    /// Takes in a document without content.
    pub fn blank(&mut self, document: &Document) {
        if let Kind::Manifests(None | Some(Format::Yaml)) = self.kind {
            self.out.extend([document.lead, document.body, document.tail]);
        }
    }

    /// Takes in a document, and what becomes of it. `Err` where the patch does not fit it.
    pub fn add(&mut self, document: Document, change: Change) -> Result<(), String> {
        for (name, warning) in &change.warnings {
            // Writing to a string does not fail.
            let _ = writeln!(self.warnings, "{name}: {warning}");
        }
        match self.kind {
            Kind::Manifests(format) => self.manifest(document, &change.patch, format)?,
            Kind::Patches => self.patch(document.value(), &change.patch),
            Kind::Explanation => self.explain(change),
        }
        Ok(())
    }

    fn manifest(
        &mut self,
        document: Document,
        patch: &[Operation],
        format: Option<Format>,
    ) -> Result<(), String> {
        let (lead, tail, own) = (document.lead, document.tail, document.format());
        let text = document.text(patch, format.unwrap_or(own))?;
        match format {
            None => self.out.extend([lead, &text, tail]),
            Some(Format::Json) => self.out.extend([&text, "\n"]),
            Some(Format::Yaml) => {
                if lead.starts_with("---") {
                    self.out.push_str(lead);
                } else if !self.out.is_empty() {
                    self.out.push_str("---\n");
                }
                self.out.push_str(&text);
                if !text.ends_with('\n') {
                    self.out.push('\n');
                }
            }
        }
        Ok(())
    }

    fn patch(&mut self, manifest: Option<&Value>, patch: &[Operation]) {
        let owner = owner(manifest.unwrap_or(&Value::Null));
        let absent = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        let (namespace, name) = (absent(owner.namespace), absent(owner.name));
        let patch = serde_json::to_string(patch).unwrap_or_default();
        let _ = writeln!(
            self.out,
            r#"{{"kind":{},"namespace":{namespace},"name":{name},"patch":{patch}}}"#,
            absent(owner.kind),
        );
    }

    fn explain(&mut self, change: Change) {
        for (name, report) in change.probes {
            let to = report.to.unwrap_or_else(|reason| format!("stays: {reason}"));
            let probe = report.probe.kind.field().to_owned();
            self.table.row([name, report.probe.container, probe, report.from, to]);
        }
    }

    /// For stdout.
    pub fn text(&self) -> Cow<'_, str> {
        match self.kind {
            Kind::Explanation => Cow::Owned(self.table.to_string()),
            _ => Cow::Borrowed(&self.out),
        }
    }

    /// For stderr.
    pub fn warnings(&self) -> &str {
        &self.warnings
    }
}
