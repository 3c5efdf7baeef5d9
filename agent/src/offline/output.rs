//! What is printed.

use std::borrow::Cow;

use app_health_webhook::manifest::owner;
use app_health_webhook::patch::Pointer;
use app_health_webhook::rewrite::Malformed;
use serde_json::Value;

use super::change::{Change, Job};
use crate::cli::Output;
use crate::document::{Content, Document, Format, List, Node, Object};
use crate::exit::Failure;
use crate::table::Table;

/// What is to be printed, collected document by document.
pub struct Printout {
    view: View,
    out: String,
    warnings: String,
    table: Table<5>,
}

/// Characters of a cell of the table.
const WIDEST: usize = 400;

/// Room for the patch of a pod with a few probes, in bytes.
const USUAL_PATCH: usize = 2048;

enum View {
    /// In each document's own format, or in this one.
    Manifests(Option<Format>),
    Patches,
    Explanation,
}

impl Printout {
    /// Nothing yet.
    pub fn new(output: Option<Output>, explain: bool) -> Self {
        let view = match output {
            _ if explain => View::Explanation,
            Some(Output::Patch) => View::Patches,
            Some(Output::Yaml) => View::Manifests(Some(Format::Yaml)),
            Some(Output::Json) => View::Manifests(Some(Format::Json)),
            None => View::Manifests(None),
        };
        let table = Table::new(["NAME", "CONTAINER", "PROBE", "FROM", "TO"], WIDEST);
        Self { view, out: String::new(), warnings: String::new(), table }
    }

    /// Makes room for what becomes of a text of this length: about as much again. Room that is not
    /// written to takes no memory, while growing by copying takes a tenth of the time and a fifth of
    /// the memory of 20,000 pods.
    pub fn reserve(&mut self, length: usize) {
        self.out.reserve(length);
    }

    /// Takes in a document without content.
    pub fn blank(&mut self, document: &Document) {
        if let View::Manifests(None | Some(Format::Yaml)) = self.view {
            self.out.extend([document.lead, document.body, document.tail]);
        }
    }

    /// Takes in a document, changed by `job`.
    pub fn add(&mut self, document: Document, job: &Job) -> Result<(), Failure> {
        match self.view {
            View::Manifests(format) => self.manifest(document, job, format),
            View::Patches => self.patch(document, job),
            View::Explanation => self.each_change(document, job, |printout, _, change| {
                printout.explain(change);
            }),
        }
    }

    /// What becomes of each object of a document: of a List of its items, one by one.
    fn each_change(
        &mut self,
        document: Document,
        job: &Job,
        mut take: impl FnMut(&mut Self, &Pointer, Change),
    ) -> Result<(), Failure> {
        match document.content {
            Content::Blank => {}
            Content::Object(object) => {
                let change = self.warned(job.change(object.value()))?;
                take(self, &Pointer::root(), change);
            }
            Content::List(list) => {
                for (index, item) in list.items().enumerate() {
                    let at = item_at(index);
                    let item = item.map_err(Failure::data)?;
                    let change = job.change_item(list.head.value(), item.value(), &at);
                    let change = self.warned(change)?;
                    take(self, &at, change);
                }
            }
        }
        Ok(())
    }

    /// Notes the warnings.
    fn warned(&mut self, change: Result<Change, Malformed>) -> Result<Change, Failure> {
        let change = change.map_err(|malformed| Failure::data(malformed.to_string()))?;
        for warning in &change.warnings {
            self.warnings.extend([warning, "\n"]);
        }
        Ok(change)
    }

    fn manifest(
        &mut self,
        document: Document,
        job: &Job,
        format: Option<Format>,
    ) -> Result<(), Failure> {
        let (lead, tail, own) = (document.lead, document.tail, document.format());
        match format {
            None => {
                self.out.push_str(lead);
                self.body(document, job, own)?;
                self.out.push_str(tail);
            }
            Some(Format::Json) => {
                self.body(document, job, Format::Json)?;
                self.out.push('\n');
            }
            Some(Format::Yaml) => {
                if lead.starts_with("---") {
                    self.out.push_str(lead);
                } else if !self.out.is_empty() {
                    self.out.push_str("---\n");
                }
                self.body(document, job, Format::Yaml)?;
                if !self.out.ends_with('\n') {
                    self.out.push('\n');
                }
            }
        }
        Ok(())
    }

    /// A document after the change: its own text where nothing changes.
    fn body(&mut self, document: Document, job: &Job, format: Format) -> Result<(), Failure> {
        match &document.content {
            Content::Blank => {}
            Content::Object(object) => {
                let change = self.warned(job.change(object.value()))?;
                let text = document.text(&change.patch, format).map_err(Failure::internal)?;
                self.out.push_str(&text);
            }
            Content::List(list) if format == document.format() && !self.changes(list, job)? => {
                self.out.push_str(document.body);
            }
            Content::List(list) => self.changed_list(&document, list, job, format)?,
        }
        Ok(())
    }

    /// Whether any item of a List changes. Where one does, the warnings up to it will come again.
    fn changes(&mut self, list: &List, job: &Job) -> Result<bool, Failure> {
        let warnings = self.warnings.len();
        for (index, item) in list.items().enumerate() {
            let item = item.map_err(Failure::data)?;
            let change = job.change_item(list.head.value(), item.value(), &item_at(index));
            let change = self.warned(change)?;
            if !change.patch.is_empty() {
                self.warnings.truncate(warnings);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn changed_list(
        &mut self,
        document: &Document,
        list: &List,
        job: &Job,
        format: Format,
    ) -> Result<(), Failure> {
        let (mut failure, out) = (None, std::mem::take(&mut self.out));
        let trees = list.items().enumerate().map_while(|(index, item)| {
            let tree = self.changed_item(list, item, job, index);
            tree.map_err(|error| failure = Some(error)).ok()
        });
        let out = document.push_list(out, list, trees, format).map_err(Failure::internal);
        self.out = failure.map_or(out, Err)?;
        Ok(())
    }

    fn changed_item(
        &mut self,
        list: &List,
        item: Result<Object, String>,
        job: &Job,
        index: usize,
    ) -> Result<Node, Failure> {
        let item = item.map_err(Failure::data)?;
        let change = job.change_item(list.head.value(), item.value(), &item_at(index));
        let change = self.warned(change)?;
        item.patched(&change.patch).map_err(Failure::internal)
    }

    fn patch(&mut self, document: Document, job: &Job) -> Result<(), Failure> {
        let owner = owner(document.value().unwrap_or(&Value::Null));
        let members = [("kind", owner.kind), ("namespace", owner.namespace), ("name", owner.name)];
        self.out.push('{');
        for (name, text) in members {
            let text = serde_json::to_string(&Some(text).filter(|text| !text.is_empty()));
            self.out.extend(["\"", name, "\":", &text.unwrap_or_default(), ","]);
        }
        self.out.push_str("\"patch\":[");
        let (mut first, mut steps) = (true, Vec::with_capacity(USUAL_PATCH));
        self.each_change(document, job, |printout, at, change| {
            for step in change.patch {
                if !std::mem::take(&mut first) {
                    steps.push(b',');
                }
                // A step's keys are text: it can always be written.
                let _ = serde_json::to_writer(&mut steps, &step.under(at));
            }
            // JSON is UTF-8.
            printout.out.push_str(str::from_utf8(&steps).unwrap_or_default());
            steps.clear();
        })?;
        self.out.push_str("]}\n");
        Ok(())
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
        match self.view {
            View::Explanation => Cow::Owned(self.table.to_string()),
            _ => Cow::Borrowed(&self.out),
        }
    }

    /// For stderr.
    pub fn warnings(&self) -> &str {
        &self.warnings
    }
}

fn item_at(index: usize) -> Pointer {
    Pointer::root().key("items").index(index)
}
