//! The program `app-health-agent`. All of it is in the library, where the fuzz targets reach it, too.

#![forbid(unsafe_code)]

use std::process::ExitCode;

// musl's own maps and unmaps memory for every piece of some kilobytes.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    app_health_agent::run(std::env::args_os())
}
