//! Each fuzz target for ten seconds, by proptest. `FUZZ_SECONDS` gives it more. A failure names its `FUZZ_SEED`, which
//! shows it again at once.

use std::time::{Duration, Instant};

use app_health_fuzz::{TARGETS, Target};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() -> Result<(), String> {
            fuzz(stringify!($name))
        })*

        #[test]
        fn each_target_is_tried() {
            assert_eq!(TARGETS.map(|target| target.name), [$(stringify!($name)),*]);
        }
    };
}

targets! { codec url rewrite review manifests machine filter agent }

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}: a whole number")))
}

fn fuzz(name: &str) -> Result<(), String> {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let seconds = Duration::from_secs(variable("FUZZ_SECONDS").unwrap_or(10));
    let strategy = input(target);
    let mut seed = variable("FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..));
    // What is made once a process, the filter's module for one, is not counted.
    (target.run)(b"");
    // While a failing input is made smaller, it fails again and again.
    std::panic::set_hook(Box::new(|_| {}));
    let (began, mut rounds) = (Instant::now(), 0);
    while rounds == 0 || began.elapsed() < seconds {
        round(target, &strategy, seed)?;
        seed = seed.wrapping_add(1);
        rounds += 1;
    }
    println!(
        "{name}: {} inputs, the last of them by FUZZ_SEED={}",
        rounds * INPUTS,
        seed.wrapping_sub(1)
    );
    Ok(())
}

/// How many inputs a seed makes.
const INPUTS: u32 = 16;

fn round(
    target: &Target,
    strategy: &impl Strategy<Value = Vec<u8>>,
    seed: u64,
) -> Result<(), String> {
    let config = ProptestConfig {
        cases: INPUTS,
        failure_persistence: None,
        max_shrink_iters: 500,
        ..ProptestConfig::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let ran = TestRunner::new_with_rng(config, rng).run(strategy, |data| {
        (target.run)(&data);
        Ok(())
    });
    ran.map_err(|error| match error {
        TestError::Fail(why, data) => {
            format!("again with FUZZ_SEED={seed}: {why}\nof {}", data.escape_ascii())
        }
        TestError::Abort(why) => format!("with FUZZ_SEED={seed}: {why}"),
    })
}

/// Any bytes, or one of the target's seeds with a few changes.
fn input(target: &Target) -> BoxedStrategy<Vec<u8>> {
    let random = (any::<u64>(), 0_usize..2000).prop_map(|(seed, length)| {
        let mut data = vec![0; length];
        fastrand::Rng::with_seed(seed).fill(&mut data);
        data
    });
    let seeds = (target.seeds)();
    if seeds.is_empty() {
        return random.boxed();
    }
    let mutated = (select(seeds.clone()), vec(mutation(seeds), 0..5))
        .prop_map(|(seed, mutations)| mutations.iter().fold(seed, |data, it| it.apply(data)));
    prop_oneof![1 => random, 7 => mutated].boxed()
}

#[derive(Clone, Debug)]
enum Mutation {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    /// Copies a part, which may so begin in one container of a pod and end in the next.
    Copy {
        from: Index,
        length: usize,
        to: Index,
        times: usize,
    },
}

fn mutation(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Mutation> {
    let part = (select(seeds), any::<Index>(), 1_usize..200).prop_map(|(seed, at, length)| {
        let from = at.index(seed.len());
        seed[from..seed.len().min(from + length)].to_vec()
    });
    let token = select(TOKENS.to_vec()).prop_map(|token| token.as_bytes().to_vec());
    let at = any::<Index>;
    prop_oneof![
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        3 => (at(), token).prop_map(|(at, token)| Mutation::Insert(at, token)),
        1 => (at(), part).prop_map(|(at, part)| Mutation::Insert(at, part)),
        2 => (at(), 1_usize..60).prop_map(|(at, length)| Mutation::Remove(at, length)),
        1 => (at(), 1_usize..200, at(), 1_usize..20)
            .prop_map(|(from, length, to, times)| Mutation::Copy { from, length, to, times }),
    ]
}

/// What means something in JSON, YAML, a URL, HTTP or a pod.
const TOKENS: [&str; 48] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    ",",
    "\"",
    "'",
    "\\",
    "\\u0000",
    "\\ud800",
    "null",
    "~",
    "true",
    "-1",
    "0",
    "1e9",
    "0x1F",
    "0o7",
    "65536",
    "18446744073709551616",
    "1.5",
    ".inf",
    "\n",
    "\n  ",
    "\n- ",
    "\n---\n",
    "\n...\n",
    "#",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "!x ",
    "|\n  ",
    ">-\n ",
    "? ",
    "%",
    "%41",
    "//",
    "@",
    "\r\n",
    "\u{85}",
    "\u{feff}",
    "é",
    "$(A)",
    "\t",
];

impl Mutation {
    fn apply(&self, mut data: Vec<u8>) -> Vec<u8> {
        let end = data.len() + 1;
        match self {
            Self::Set(at, byte) => {
                if let Some(old) = data.get_mut(at.index(end)) {
                    *old = *byte;
                }
            }
            Self::Insert(at, token) => {
                data.splice(at.index(end)..at.index(end), token.iter().copied());
            }
            Self::Remove(at, length) => {
                let from = at.index(end);
                data.drain(from..data.len().min(from + length));
            }
            Self::Copy { from, length, to, times } => {
                let from = from.index(end);
                let part = data[from..data.len().min(from + length)].repeat(*times);
                data.splice(to.index(end)..to.index(end), part);
            }
        }
        data
    }
}
