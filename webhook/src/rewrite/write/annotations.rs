//! The pod's annotations: the one that keeps what the variable cannot say, and the mark.

use serde_json::{Value, json};

use crate::patch::{Operation, Pointer};
use crate::rewrite::decide::MarkChange;
use crate::rewrite::read::{JsonObject, Pod};
use crate::rewrite::records::{LARGEST_ANNOTATIONS, RESTORE_ANNOTATION, Records};
use crate::rewrite::result::Rewrite;
use crate::rewrite::status::{self, STATUS_ANNOTATION};

/// What an annotation is to say; `None` where it is to be there no more.
type Text = (&'static str, Option<String>);

/// Writes them, or takes away those that have nothing left to say.
pub fn write(pod: &Pod<'_>, records: &Records<'_, '_>, mark: &MarkChange, rewrite: &mut Rewrite) {
    let mut texts = Vec::new();
    if records.kept.changed {
        texts.push((RESTORE_ANNOTATION, records.kept.text()));
    }
    match mark {
        MarkChange::None => {
            let old = pod.annotations.and_then(|all| all.get(STATUS_ANNOTATION)?.as_str());
            if old.is_some_and(|text| !has_room_for_mark(text, pod, &texts)) {
                texts.push((STATUS_ANNOTATION, None));
            }
        }
        MarkChange::Written => {
            let text = status::text(records.recorded.probes(), &rewrite.warnings);
            let text = Some(text).filter(|text| has_room_for_mark(text, pod, &texts));
            texts.push((STATUS_ANNOTATION, text));
        }
        MarkChange::Removed => texts.push((STATUS_ANNOTATION, None)),
    }
    change(pod.annotations, pod.has_metadata, texts, &mut rewrite.patch);
}

/// Whether there is room for the mark beside the other annotations, once these are as they are to be: it
/// gives way to them.
fn has_room_for_mark(mark: &str, pod: &Pod<'_>, texts: &[Text]) -> bool {
    let stays = |key: &str| key != STATUS_ANNOTATION && texts.iter().all(|(it, _)| *it != key);
    let others = pod.annotations.into_iter().flatten().filter(|(key, _)| stays(key));
    let others = others.map(|(key, value)| key.len() + value.as_str().unwrap_or_default().len());
    let written =
        texts.iter().map(|(key, text)| text.as_ref().map_or(0, |it| key.len() + it.len()));
    let size: usize = others.chain(written).sum();
    size + STATUS_ANNOTATION.len() + mark.len() <= LARGEST_ANNOTATIONS
}

fn change(
    before: Option<&JsonObject>,
    has_metadata: bool,
    texts: Vec<Text>,
    patch: &mut Vec<Operation>,
) {
    let metadata = Pointer::root().key("metadata");
    let at = metadata.key("annotations");
    let old = |key: &str| before.and_then(|all| all.get(key));
    let (mut new, mut gone) = (JsonObject::new(), Vec::new());
    for (key, text) in texts {
        match text.map(Value::String) {
            Some(text) if old(key) != Some(&text) => drop(new.insert(key.to_owned(), text)),
            None if old(key).is_some() => gone.push(Operation::Remove(at.key(key))),
            _ => {}
        }
    }
    match before {
        // Where nothing else is left, the list of them goes, too.
        Some(all) if new.is_empty() && gone.len() == all.len() && !gone.is_empty() => {
            patch.push(Operation::Remove(at));
        }
        Some(_) => {
            patch.extend(gone);
            patch.extend(new.into_iter().map(|(key, text)| Operation::Add(at.key(&key), text)));
        }
        None if new.is_empty() => {}
        None if has_metadata => patch.push(Operation::Add(at, new.into())),
        None => patch.push(Operation::Add(metadata, json!({"annotations": new}))),
    }
}
