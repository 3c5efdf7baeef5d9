//! The arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

const SECONDS_PER_MINUTE: f64 = 60.0;

/// What is to be done.
#[derive(Clone, Debug, Parser, PartialEq)]
#[command(name = "scripts/soak")]
pub struct Args {
    /// How long.
    #[arg(value_name = "MINUTES", value_parser = minutes)]
    pub time: Duration,

    /// What happens when; chosen at random where it is not given.
    #[arg(long, value_name = "N", default_value_t = fastrand::u64(..))]
    pub seed: u64,

    /// How many containers the pod has.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=300))]
    pub containers: u32,

    /// In a pod of a mesh, with the EnvoyFilter, rather than with envoy.yaml.
    #[arg(long)]
    pub mesh: bool,

    /// Nothing listens where the agent should.
    #[arg(long)]
    pub without_agent: bool,

    /// Print verdicts that differ for a reason, too.
    #[arg(long)]
    pub verbose: bool,

    /// An Envoy; else the one that the tests find.
    #[arg(long, value_name = "PATH", value_parser = file)]
    pub envoy: Option<PathBuf>,

    /// Envoy's workers.
    #[arg(long, value_name = "WORKERS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub concurrency: u32,
}

impl Args {
    pub fn envoy(&self) -> PathBuf {
        self.envoy.clone().unwrap_or_else(app_health_tests::envoy::find)
    }

    pub fn minutes(&self) -> f64 {
        self.time.as_secs_f64() / SECONDS_PER_MINUTE
    }
}

fn minutes(text: &str) -> Result<Duration, &'static str> {
    let minutes = text.parse().ok().filter(|minutes| *minutes > 0.0);
    let time = minutes.and_then(|m: f64| Duration::try_from_secs_f64(m * SECONDS_PER_MINUTE).ok());
    time.ok_or("no number of minutes")
}

fn file(text: &str) -> Result<PathBuf, &'static str> {
    Some(PathBuf::from(text)).filter(|file| file.is_file()).ok_or("no file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_a_number_above_zero() {
        assert_eq!(minutes("0.5"), Ok(Duration::from_secs(30)));
        for text in ["", "0", "-1", "NaN", "1e300"] {
            assert!(minutes(text).is_err(), "{text}");
        }
    }
}
