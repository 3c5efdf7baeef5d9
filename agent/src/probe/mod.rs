//! The command `probe`: a probe as the kubelet sends it, the original check of the app itself, and who is
//! at fault.
//!
//! | module | what it decides |
//! |---|---|
//! | [`args`] | the arguments |
//! | [`recorded`] | the original check, from the status page |
//! | [`here`] | whether the app may be asked |
//! | [`conclusion`] | what is asked, for how long, and what is concluded |
//! | [`attempt`], [`tls`] | connections, and when it came how far |
//! | [`fault`] | who is at fault |
//! | [`output`] | what is printed |

pub mod args;
mod attempt;
mod conclusion;
mod fault;
mod here;
mod output;
mod recorded;
mod tls;

use app_health_webhook::path::{ProbeKind, ProbePath};
use log::LevelFilter;

use self::args::ProbeArgs;
use self::conclusion::{Asker, Sides};
use self::fault::Fault;
use self::output::Printer;
use self::recorded::Recorded;
use crate::exit::Failure;
use crate::logger::{self, Format, LogArgs, in_line};
use crate::net;
use crate::page::fetch;
use crate::page::shape::{Page, Probe};

/// Characters of the list of probes.
const LONGEST: usize = 2000;

/// What was found out about a probe.
struct Finding<'a> {
    probe: &'a Probe,
    sides: Sides,
    /// The headers that are left out.
    hidden: Vec<String>,
    fault: (Fault, &'static str),
}

/// Prints each thing as soon as it is found. The exit code says whether somebody is at fault.
///
/// # Errors
/// There is no page that can be read, or no such probe, or stdout fails.
pub fn run(args: &ProbeArgs) -> Result<u8, Failure> {
    // A source address that is missing is worth a warning.
    logger::init(LogArgs { log_format: Format::Text, log_level: LevelFilter::Warn });
    let runtime = net::runtime()?;
    let exit = runtime.block_on(async {
        let (_, page) = fetch(&args.page).await?;
        let asker = Asker::new(args, &page);
        let Chosen { probes, left_out } = chosen(args, &page)?;
        let mut printer = Printer::begin(args.output, &page)?;
        let mut fault = false;
        // One after the other: the app is not asked more often at once than by a kubelet.
        for probe in probes {
            let finding = finding(&asker, probe).await;
            fault |= finding.fault.0 != Fault::Nobody;
            printer.add(&finding)?;
        }
        printer.end(&left_out)?;
        Ok(u8::from(fault || !page.errors.is_empty()))
    });
    // A name server that does not answer would keep a thread of it, and so the process.
    runtime.shutdown_background();
    exit
}

/// Which probes are asked.
struct Chosen<'a> {
    probes: Vec<&'a Probe>,
    /// And which are not, and why.
    left_out: Vec<(&'a Probe, &'static str)>,
}

fn chosen<'a>(args: &ProbeArgs, page: &'a Page) -> Result<Chosen<'a>, Failure> {
    let mut probes: Vec<_> = page.probes.iter().filter(|it| kind(it).is_some()).collect();
    let Some(path) = &args.probe else {
        let left_out = probes.iter().filter_map(|it| Some((*it, why_left_out(it)?))).collect();
        probes.retain(|probe| why_left_out(probe).is_none());
        return Ok(Chosen { probes, left_out });
    };
    let names: Vec<&str> = probes.iter().map(|probe| output::name(&probe.path)).collect();
    let mut message = match &names[..] {
        [] => "no probe is recorded".to_owned(),
        names => format!("no such probe; there are: {}", names.join(", ")),
    };
    for error in &page.errors {
        message += &format!("; {error}");
    }
    probes.retain(|probe| probe.path == *path);
    if probes.is_empty() {
        return Err(Failure::unreachable(in_line(message, LONGEST)).of(output::name(path)));
    }
    Ok(Chosen { probes, left_out: Vec::new() })
}

/// `None` of a hook.
fn kind(probe: &Probe) -> Option<ProbeKind> {
    ProbePath::parse(&probe.path).map(|path| path.kind()).filter(|kind| !kind.is_hook())
}

/// The status page counts what is asked here as the kubelet's: a failure that is none must not stay there.
fn why_left_out(probe: &Probe) -> Option<&'static str> {
    if kind(probe) == Some(ProbeKind::Startup) {
        return Some("the kubelet does not repeat it, and a failure would stay");
    }
    let hidden = !Recorded::of(probe).hidden.is_empty();
    hidden.then_some("the page hides headers of it, and without them it may fail")
}

async fn finding<'a>(asker: &Asker<'_>, probe: &'a Probe) -> Finding<'a> {
    let recorded = Recorded::of(probe);
    let sides = asker.both(probe, &recorded).await;
    let fault = if fault::differ(&sides) {
        fault::of_two(&sides, &asker.both(probe, &recorded).await)
    } else {
        fault::of(&sides)
    };
    Finding { probe, sides, hidden: recorded.hidden, fault }
}
