//! What the kubelet concludes: asking the app itself, and through the status port.

use std::net::{IpAddr, SocketAddr};

use app_health_tests::kubelet::Probe;
use app_health_tests::{process, program};

use crate::manifest::Manifest;

/// The exit code of `status` where some probes fail.
const SOME_FAIL: i32 = 1;

/// Sends every probe both ways, prints the verdicts, and says whether they agree.
pub fn compare(manifest: &Manifest, status_port: u16, ip: IpAddr) -> bool {
    println!("{:<22} {:<16} through {status_port}", "probe", "the app itself");
    let pairs = manifest.before.iter().zip(&manifest.after);
    // Each probe is sent, whatever the others give.
    let agree =
        pairs.map(|(before, after)| line(before, after, ip)).fold(true, |all, one| all & one);
    println!();
    let rewritten = manifest.after.iter().all(|probe| probe.port == status_port);
    agree && rewritten && manifest.before.len() == manifest.after.len()
}

fn line(before: &Probe, after: &Probe, ip: IpAddr) -> bool {
    let (itself, through) = (before.ask(ip), after.ask(ip));
    let name = format!("{} {}", before.container, before.kind.field());
    let note = if itself == through { "" } else { "   DIFFERS" };
    println!("{name:<22} {itself:<16} {through}{note}");
    itself == through && before.container == after.container && before.kind == after.kind
}

/// Prints what `app-health-agent status` says, and says whether it tells of failures: the app is
/// broken.
pub fn status(port: SocketAddr) -> bool {
    println!("What app-health-agent status says of it:\n");
    let mut command = process::command(program::agent());
    command.args(["status", "--url", &format!("http://{port}/app-health/")]);
    let run = process::run(&mut command, "");
    println!("{}{}", run.stdout, run.stderr);
    run.exit == SOME_FAIL
}

/// Says where the rewritten probes and the status page can be asked.
pub fn urls(manifest: &Manifest, port: SocketAddr) {
    println!("The app is well again. Ask for yourself:\n");
    let probes = manifest.after.iter().filter_map(|probe| probe.url(port.ip()));
    probes.for_each(|url| println!("  {url}"));
    println!("  http://{port}/app-health/   the status page");
    println!();
}
