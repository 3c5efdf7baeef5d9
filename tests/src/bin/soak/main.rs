//! A model of time: a pod full of apps that fail and recover at random, and a kubelet that asks their
//! probes and hooks as often as people let it, each directly and through the status port at the same
//! moment. Whatever happened before, both verdicts have to agree. `scripts/soak` starts it.
//!
//! | module | what it is |
//! |---|---|
//! | [`args`] | the arguments |
//! | [`network`] | the pod, the node, Envoy and the agent |
//! | [`fleet`] | which containers there are, and how they are probed |
//! | [`container`] | a container's life |
//! | [`app`], [`state`], [`conduct`] | its app, what can be the matter with it, and what it does then |
//! | [`worker`], [`threshold`] | when the kubelet asks a probe, and what follows |
//! | [`pair`], [`question`] | both questions at the same moment |
//! | [`explanation`] | why their verdicts may differ |
//! | [`watch`] | whether the machine let everybody run |
//! | [`tally`] | how many verdicts, and how many of them wrong |
//! | [`samples`] | what Envoy and the agent hold |

mod app;
mod args;
mod conduct;
mod container;
mod explanation;
mod fleet;
mod network;
mod pair;
mod question;
mod samples;
mod soak;
mod state;
mod tally;
mod threshold;
mod watch;
mod worker;

use std::process::ExitCode;
use std::time::Instant;

use app_health_tests::envoy::dials;
use app_health_tests::net::raise_descriptor_limit;
use app_health_tests::program::arguments;
use fastrand::Rng;

use args::Args;
use network::Network;
use samples::Samples;
use soak::Soak;
use tally::Tally;
use watch::Watch;

fn main() -> ExitCode {
    if run(&arguments()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether no verdict was wrong, and nothing grew or was left.
fn run(args: &Args) -> bool {
    raise_descriptor_limit();
    let network = Network::enter(args);
    let mut rng = Rng::with_seed(args.seed);
    let fleet = fleet::fleet(args.containers, &network, &mut rng);
    let sidecar = network.start(fleet::entries(&fleet), args);
    println!("{} containers, {:.1} minutes, --seed {}", fleet.len(), args.minutes(), args.seed);
    let mut samples = Samples::of(&sidecar, args.time);
    let (network, sidecar, end) = (&network, &sidecar, Instant::now() + args.time);
    let (tally, watch) = (&Tally::default(), &Watch::of(&sidecar.pids()));
    let leaves_spare = !sidecar.has_agent() && dials(&args.envoy()) > 1;
    let soak = Soak { network, sidecar, tally, watch, end, leaves_spare, verbose: args.verbose };
    soak.run(&fleet, rng, &mut samples);
    samples.wait_for_the_end();
    print!("{tally}\n{samples}");
    // A busy machine gets to far fewer.
    tally.is_well(args.containers.div_ceil(20)) && samples.is_well()
}
