//! What the kubelet concludes: asking the app itself, and through the status port.

use std::net::IpAddr;

use app_health_tests::kubelet::Probe;

use crate::manifest::Manifest;

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

/// Says where the rewritten probes can be asked.
pub fn urls(manifest: &Manifest, ip: IpAddr) {
    println!("The app is well again. Ask for yourself:\n");
    manifest.after.iter().filter_map(|probe| probe.url(ip)).for_each(|url| println!("  {url}"));
    println!();
}
