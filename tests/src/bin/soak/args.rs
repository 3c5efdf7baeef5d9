//! The arguments.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

const SECONDS_PER_MINUTE: f64 = 60.0;

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Args {
    /// How long.
    pub time: Duration,
    /// What happens when.
    pub seed: u64,
    /// Nothing listens where the agent should.
    pub without_agent: bool,
    /// Else the one that the tests find.
    pub envoy: Option<PathBuf>,
    /// Envoy's workers.
    pub concurrency: u32,
}

impl Args {
    pub fn minutes(&self) -> f64 {
        self.time.as_secs_f64() / SECONDS_PER_MINUTE
    }
}

/// Reads the arguments.
///
/// # Errors
/// One line that names the argument.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Args, String> {
    let mut arguments = arguments.into_iter();
    let mut time = None;
    let seed = fastrand::u64(..);
    let mut args =
        Args { time: Duration::ZERO, seed, without_agent: false, envoy: None, concurrency: 1 };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument}: needs a value"));
        match argument.as_str() {
            "--seed" => args.seed = number(&argument, &value()?)?,
            "--envoy" => args.envoy = Some(file(&argument, &value()?)?),
            "--concurrency" => match number(&argument, &value()?)? {
                0 => return Err("--concurrency: at least 1".into()),
                workers => args.concurrency = workers,
            },
            "--without-agent" => args.without_agent = true,
            _ if time.is_none() => time = Some(minutes(&argument)?),
            _ => return Err(format!("{argument}: nothing more, and no option (see --help)")),
        }
    }
    args.time = time.ok_or("how many minutes? (see --help)")?;
    Ok(args)
}

fn minutes(argument: &str) -> Result<Duration, String> {
    let minutes = argument.parse().ok().filter(|minutes| *minutes > 0.0);
    let time = minutes.and_then(|m: f64| Duration::try_from_secs_f64(m * SECONDS_PER_MINUTE).ok());
    time.ok_or(format!("{argument}: no number of minutes, and no option (see --help)"))
}

fn file(name: &str, value: &str) -> Result<PathBuf, String> {
    let file = PathBuf::from(value);
    if file.is_file() { Ok(file) } else { Err(format!("{name}: {value} is no file")) }
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name}: {value:?} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Args, String> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn half_a_minute_and_options_in_any_order() {
        let args = read("--seed 7 0.5 --without-agent --envoy /bin/sh --concurrency 3");
        let expected = Args {
            time: Duration::from_secs(30),
            seed: 7,
            without_agent: true,
            envoy: Some("/bin/sh".into()),
            concurrency: 3,
        };
        assert_eq!(args, Ok(expected));
        assert_ne!(read("1").unwrap().seed, read("1").unwrap().seed);
    }

    #[test]
    fn a_wrong_argument_is_named() {
        for (line, named) in [
            ("", "how many minutes?"),
            ("-1", "-1:"),
            ("0", "0:"),
            ("NaN", "NaN:"),
            ("1e300", "1e300:"),
            ("1 2", "2:"),
            ("1 --sed 2", "--sed:"),
            ("1 --seed", "--seed:"),
            ("1 --seed x", "--seed:"),
            ("1 --concurrency 0", "--concurrency:"),
            ("1 --envoy /nowhere", "--envoy:"),
        ] {
            let error = read(line).expect_err(line);
            assert!(error.starts_with(named), "{line}: {error}");
        }
    }
}
