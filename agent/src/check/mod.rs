//! The command `check`: what is wrong in a cluster, or in manifests before they are applied.
//!
//! | module | what it decides |
//! |---|---|
//! | [`args`] | the arguments |
//! | [`surroundings`], [`selector`] | what pods are judged by, and which of them the webhook is asked about |
//! | [`pod`] | what is read of a pod |
//! | [`pods`], [`variable`] | which findings a pod has |
//! | [`webhook`] | which a MutatingWebhookConfiguration has, and the webhook's Deployment |
//! | [`envoy_filter`] | which an EnvoyFilter has: the sum of the `.wasm` |
//! | [`finding`] | the codes, their severity, and what to do about each |
//! | [`report`], [`output`] | all of it, and how it is printed |

pub mod args;
mod envoy_filter;
pub mod finding;
mod output;
mod pod;
mod pods;
mod report;
mod selector;
mod surroundings;
mod variable;
mod webhook;

use app_health_webhook::manifest::{Object, objects};
use time::OffsetDateTime;

use self::args::{CheckArgs, Output};
use self::finding::Severity;
use self::pods::Judge;
use self::report::Report;
use self::surroundings::Surroundings;
use crate::document::Content;
use crate::exit::Failure;
use crate::offline::{print, source::Source};

/// Prints what is found. The exit code says how bad it is.
///
/// # Errors
/// The input cannot be read, or is none.
pub fn run(args: &CheckArgs) -> Result<u8, Failure> {
    let source = Source::read(&args.file)?;
    let mut surroundings = Surroundings::default();
    each_object(&source, |object| surroundings.take(object))?;
    surroundings.settle();
    let judge = Judge {
        surroundings: &surroundings,
        options: &args.redirect.options(),
        root_namespace: &args.root_namespace,
        complete: args.complete,
    };
    let (mut report, now) = (Report::default(), OffsetDateTime::now_utc());
    each_object(&source, |object| report.take(object, &judge, now))?;
    report.sort();
    let unjudged = report.unjudged(&judge);
    let text = match args.output {
        Output::Table => output::table(&report),
        Output::Json => output::json(&report, &unjudged),
    };
    print(&text, &output::notes(&report, &unjudged))?;
    Ok(exit_code(&report, args.fail_on))
}

fn exit_code(report: &Report, fail_on: Severity) -> u8 {
    match report.findings.iter().map(|finding| finding.code.severity()).max() {
        Some(Severity::Error) => 2,
        Some(Severity::Warning) if fail_on == Severity::Warning => 1,
        _ => 0,
    }
}

/// Hands over each object: of a List its items, one by one.
fn each_object(source: &Source, mut take: impl FnMut(&Object<'_>)) -> Result<(), Failure> {
    source.each_document(|document| {
        match document.content {
            Content::Blank => {}
            Content::Object(object) => {
                let objects = objects(object.value());
                let objects = objects.map_err(|malformed| Failure::data(malformed.to_string()))?;
                objects.iter().for_each(|(_, object)| take(object));
            }
            Content::List(list) => {
                for item in list.items() {
                    let item = item.map_err(Failure::data)?;
                    take(&Object::item(list.head.value(), item.value()));
                }
            }
        }
        Ok(())
    })
}
