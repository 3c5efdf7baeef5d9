//! What a command does to one manifest.

use std::borrow::Cow;

use app_health_webhook::injection::{Filter, Revision, filter, left_by_restore};
use app_health_webhook::manifest::{Object, Owner, PodAt, objects};
use app_health_webhook::patch::{self, Operation, Pointer};
use app_health_webhook::rewrite::{self, Cause, Malformed, Options, Report, Rewrite, add_sidecar};
use serde_json::Value;

use crate::cli::{RestoreArgs, RewriteArgs};
use crate::document;
use crate::logger::InLine;

/// What to do to each pod.
pub struct Job {
    edit: Box<Edit>,
    options: Options,
    add_sidecar: bool,
    /// What to do about a missing sidecar, as the end of a warning.
    advice: &'static str,
}

type Edit = dyn Fn(&Value, &Options) -> Result<Rewrite, Malformed>;

/// What becomes of a manifest.
#[derive(Default)]
pub struct Change {
    /// To be applied to the manifest.
    pub patch: Vec<Operation>,
    /// Lines, each of which begins with the name of the object that it is about.
    pub warnings: Vec<String>,
    /// The same for every probe, where it is to be explained.
    pub probes: Vec<(String, Report)>,
}

impl Job {
    /// Probes to the status port.
    pub fn rewrite(args: &RewriteArgs) -> Self {
        Self {
            edit: Box::new(rewrite::rewrite),
            options: args.pods.options(args.explain),
            add_sidecar: args.add_sidecar,
            advice: "; name it with --sidecar NAME, or put one in with --add-sidecar",
        }
    }

    /// Probes back to the app.
    pub fn restore(args: &RestoreArgs) -> Self {
        let sidecars = args.sidecar.names.clone();
        let options = Options { sidecars, reports: false, ..Options::default() };
        Self { edit: Box::new(restore), options, add_sidecar: false, advice: "" }
    }

    /// What pods need to take the filter.
    pub fn filter(args: &RewriteArgs, revision: &Revision) -> Self {
        let options = args.pods.options(false);
        let (revision, mesh) = (revision.clone(), args.pods.mesh.mesh());
        let by = Filter { revision, mesh, read_yaml: document::value };
        let edit = move |pod: &Value, options: &Options| filter(pod, &by, &options.sidecars);
        Self { edit: Box::new(edit), options, add_sidecar: false, advice: "" }
    }

    /// What becomes of this manifest. `Err` names the field in it that cannot be.
    pub fn change(&self, manifest: &Value) -> Result<Change, Malformed> {
        let mut change = Change::default();
        for (at, object) in objects(manifest)? {
            change.add(self.change_object(&object).map_err(|it| under(&at, it))?, &at);
        }
        Ok(change)
    }

    /// What becomes of an item that stands at `at` in a list. The patch is for the item alone.
    pub fn change_item(
        &self,
        list: &Value,
        item: &Value,
        at: &Pointer,
    ) -> Result<Change, Malformed> {
        self.change_object(&Object::item(list, item)).map_err(|malformed| under(at, malformed))
    }

    fn change_object(&self, object: &Object) -> Result<Change, Malformed> {
        let changed = match object.pod() {
            Ok(Some(pod)) => self.change_pod(&pod),
            Ok(None) => Ok(passed_through(object)),
            Err(malformed) => Err(malformed),
        };
        match changed {
            // Only what has to be a pod is refused for not being one.
            Err(malformed) if !object.is_workload() => {
                Ok(Change::warning(object, format!("{malformed}; it stays as it was")))
            }
            changed => changed,
        }
    }

    fn change_pod(&self, pod: &PodAt) -> Result<Change, Malformed> {
        let edited = self.edit(pod.pod).map_err(|malformed| under(&pod.pointer, malformed))?;
        let name = name(&pod.owner);
        let told = edited.warnings.iter().filter(|warning| warning.is_told());
        let patch = edited.patch.into_iter().map(|step| step.under(&pod.pointer));
        Ok(Change {
            patch: patch.collect(),
            warnings: told.map(|it| format!("{name}: {it}")).collect(),
            probes: edited.probes.into_iter().map(|it| (name.to_owned(), it)).collect(),
        })
    }

    fn edit(&self, pod: &Value) -> Result<Rewrite, Malformed> {
        let sidecar = self.missing_sidecar(pod)?;
        let mut with_sidecar = Cow::Borrowed(pod);
        if !sidecar.is_empty() {
            patch::apply(with_sidecar.to_mut(), &sidecar)
                .map_err(|error| Malformed { problem: error.to_string(), at: error.at })?;
        }
        let mut edited = (self.edit)(&with_sidecar, &self.options)?;
        for warning in &mut edited.warnings {
            if warning.cause == Cause::NoSidecar {
                warning.reason.push_str(self.advice);
            }
        }
        // A pod in which there is nothing to rewrite needs no sidecar either, and no mark that says so.
        let is_in_spec = |step: &Operation| step.pointer().as_str().starts_with("/spec/");
        if edited.patch.iter().any(is_in_spec) {
            edited.patch.splice(..0, sidecar);
        } else if !sidecar.is_empty() {
            edited.patch.clear();
        }
        Ok(edited)
    }

    /// The patch that adds a sidecar where one is wanted, and none of the names is there.
    fn missing_sidecar(&self, pod: &Value) -> Result<Vec<Operation>, Malformed> {
        let mut missing = Vec::new();
        for name in self.options.sidecars.iter().rev().filter(|_| self.add_sidecar) {
            missing = add_sidecar(pod, name)?;
            if missing.is_empty() {
                break;
            }
        }
        Ok(missing)
    }
}

fn restore(pod: &Value, options: &Options) -> Result<Rewrite, Malformed> {
    let mut restored = rewrite::restore(pod, options)?;
    restored.warnings.extend(left_by_restore(pod));
    Ok(restored)
}

impl Change {
    fn warning(object: &Object, warning: String) -> Self {
        let warnings = vec![format!("{}: {warning}", name(&object.owner()))];
        Self { warnings, ..Self::default() }
    }

    /// Takes in what becomes of the object that stands at `at`.
    fn add(&mut self, other: Change, at: &Pointer) {
        self.patch.extend(other.patch.into_iter().map(|step| step.under(at)));
        self.warnings.extend(other.warnings);
        self.probes.extend(other.probes);
    }
}

/// An object in which no pod is known to be.
fn passed_through(object: &Object) -> Change {
    let Some(probe) = object.first_probe() else { return Change::default() };
    let probe = InLine(probe.as_str());
    Change::warning(object, format!("{probe}: not where pods have probes; it stays as it was"))
}

fn under(at: &Pointer, malformed: Malformed) -> Malformed {
    Malformed { at: at.join(&malformed.at), ..malformed }
}

/// What a person calls the object.
fn name<'a>(owner: &Owner<'a>) -> &'a str {
    if owner.name.is_empty() { owner.kind } else { owner.name }
}
