//! The command `probe`: a probe as the kubelet sends it, the original check of the app itself, and who is
//! at fault.
//!
//! | module | what it decides |
//! |---|---|
//! | [`args`] | the arguments |
//! | [`recorded`] | the original check, from the status page |
//! | [`conclusion`] | what is asked, for how long, and what is concluded |
//! | [`attempt`], [`tls`] | connections, and when it came how far |
//! | [`fault`] | who is at fault |
//! | [`output`] | what is printed |

pub mod args;
mod attempt;
mod conclusion;
mod fault;
mod output;
mod recorded;
mod tls;

use app_health_webhook::path::ProbePath;
use log::LevelFilter;

use self::args::{Output, ProbeArgs};
use self::conclusion::{Asker, Conclusion};
use self::fault::Fault;
use self::recorded::Recorded;
use crate::exit::Failure;
use crate::logger::{self, Format, LogArgs, in_line};
use crate::net;
use crate::offline::print;
use crate::page::fetch;
use crate::page::shape::{Page, Probe};

/// Characters of the list of probes.
const LONGEST: usize = 2000;

/// What was found out about a probe.
struct Finding<'a> {
    probe: &'a Probe,
    status_port: Conclusion,
    /// Or why the app was not asked.
    app: Result<Conclusion, String>,
    /// The headers that are left out.
    hidden: Vec<String>,
    fault: (Fault, &'static str),
}

/// Prints what is found. The exit code says whether somebody is at fault.
///
/// # Errors
/// There is no page that can be read, or no such probe, or stdout fails.
pub fn run(args: &ProbeArgs) -> Result<u8, Failure> {
    // A source address that is missing is worth a warning.
    logger::init(LogArgs { log_format: Format::Text, log_level: LevelFilter::Warn });
    let runtime = net::runtime()?;
    let exit = runtime.block_on(async {
        let (_, page) = fetch(&args.page).await?;
        let asker = Asker::new(&args.page.url, &page);
        let mut findings = Vec::new();
        // One after the other: the app is not asked more often at once than by a kubelet.
        for probe in chosen(args, &page)? {
            findings.push(finding(&asker, probe).await);
        }
        let text = match args.output {
            Output::Table => output::table(&page, &findings),
            Output::Json => output::json(&page, &findings),
        };
        print(&text, "")?;
        let fault = findings.iter().any(|finding| finding.fault.0 != Fault::Nobody);
        Ok(u8::from(fault || !page.errors.is_empty()))
    });
    // A name server that does not answer would keep a thread of it, and so the process.
    runtime.shutdown_background();
    exit
}

fn chosen<'a>(args: &ProbeArgs, page: &'a Page) -> Result<Vec<&'a Probe>, Failure> {
    let is_probe = |path| ProbePath::parse(path).is_some_and(|path| !path.kind().is_hook());
    let mut probes: Vec<_> = page.probes.iter().filter(|probe| is_probe(&probe.path)).collect();
    let Some(path) = &args.probe else { return Ok(probes) };
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
    Ok(probes)
}

async fn finding<'a>(asker: &Asker<'_>, probe: &'a Probe) -> Finding<'a> {
    let recorded = Recorded::of(probe);
    let status_port = asker.status_port(probe, &recorded).await;
    let app = asker.app(probe, &recorded).await;
    let fault = fault::of(&status_port, &app);
    Finding { probe, status_port, app, hidden: recorded.hidden, fault }
}
