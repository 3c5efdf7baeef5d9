//! What a running program has used.

use std::fs;
use std::time::Duration;

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

const KIB_PER_MIB: f64 = 1024.0;

/// The processor time of all its threads so far, user's and system's, to the nanosecond.
///
/// # Panics
/// Where it does not run.
pub fn processor_time(id: u32) -> Duration {
    let pid = Pid::from_raw(id.try_into().expect("an id"));
    let clock = clock_getcpuclockid(pid).expect("a running program");
    clock.now().expect("its clock").into()
}

/// Its memory now, VmRSS, in MiB.
///
/// # Panics
/// Where it does not run.
pub fn memory(id: u32) -> f64 {
    field(id, "VmRSS:").expect("a running program")
}

/// The most memory that it has had, VmHWM, in MiB; `None` when it has ended.
pub fn peak_memory(id: u32) -> Option<f64> {
    field(id, "VmHWM:")
}

/// How many descriptors it has open.
///
/// # Panics
/// Where it does not run.
pub fn descriptors(id: u32) -> usize {
    fs::read_dir(format!("/proc/{id}/fd")).expect("a running program").count()
}

fn field(id: u32, name: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    mebibytes(&status, name)
}

fn mebibytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / KIB_PER_MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_mebibytes() {
        let status = "Name:\tagent\nVmHWM:\t    4096 kB\nVmRSS:\t    2560 kB\nThreads:\t1\n";
        assert_eq!(mebibytes(status, "VmRSS:"), Some(2.5));
        assert_eq!(mebibytes(status, "VmHWM:"), Some(4.0));
        assert_eq!(mebibytes("State:\tZ (zombie)\n", "VmHWM:"), None);
    }

    #[test]
    fn a_process_that_works_uses_time_and_memory() {
        let id = std::process::id();
        let before = processor_time(id);
        while processor_time(id) <= before {}
        let now = memory(id);
        assert!(now > 0.0 && peak_memory(id) >= Some(now));
    }
}
