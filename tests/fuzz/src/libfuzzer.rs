//! A target for libFuzzer: `scripts/fuzz` names it in `FUZZ_TARGET`, and in `FUZZ_SEEDS` the folder for its seeds.
//! Without a name it lists them all, one a line.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;
use std::{env, fs, process};

use app_health_fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = env::var("FUZZ_TARGET").unwrap_or_default();
    let known = || TARGETS.map(|target| target.name).join(", ");
    TARGETS
        .iter()
        .find(|target| target.name == name)
        .unwrap_or_else(|| panic!("FUZZ_TARGET={name}: one of {}", known()))
});

/// Before libFuzzer reads the seeds, and looks at the clock: a target may build a program first.
fn prepare() {
    if env::var_os("FUZZ_TARGET").is_none() {
        TARGETS.iter().for_each(|target| println!("{}", target.name));
        process::exit(0);
    }
    (TARGET.run)(b"");
    let Some(folder) = env::var_os("FUZZ_SEEDS").map(PathBuf::from) else { return };
    for (n, seed) in (TARGET.seeds)().into_iter().enumerate() {
        let file = folder.join(format!("{n:04}"));
        fs::write(&file, seed).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

fuzz_target!(init: prepare(), |data: &[u8]| (TARGET.run)(data));
