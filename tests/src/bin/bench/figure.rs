//! One figure: what was measured, how it spread, and what it should be.

use std::fmt;

use serde_json::{Value, json};

use crate::stats::Spread;

/// A line of the result.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// The median over the rounds, and the quartiles.
    pub spread: Spread,
    /// What the numbers count.
    pub unit: Unit,
    /// What it should be.
    pub mark: Option<Mark>,
}

/// What numbers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// One figure by another.
    Ratio,
    /// Bytes on disk.
    Bytes,
    /// 1,048,576 bytes of memory.
    Mebibytes,
    /// 0.001 s.
    Milliseconds,
    /// 0.000001 s.
    Microseconds,
    /// Events a second.
    PerSecond,
    /// Of the processor.
    Instructions,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark {
    /// Not less.
    AtLeast(f64),
    /// Not more.
    AtMost(f64),
    /// This share of 1 away from 1, at most.
    Flat(f64),
}

impl Figure {
    /// A figure without a mark.
    pub fn new(what: impl Into<String>, spread: Spread, unit: Unit) -> Self {
        Self { what: what.into(), spread, unit, mark: None }
    }

    /// The same with what it should be.
    pub fn mark(self, mark: Mark) -> Self {
        Self { mark: Some(mark), ..self }
    }

    /// Whether its median is as it should be.
    pub fn reached(&self) -> Option<bool> {
        self.mark.map(|mark| mark.is_reached_by(self.spread.median))
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let Spread { low, median, high } = self.spread;
        json!({
            "what": self.what,
            "unit": self.unit.name(),
            "median": median,
            "lowerQuartile": low,
            "upperQuartile": high,
            "mark": self.mark.map(Mark::json),
            "reached": self.reached(),
        })
    }

    /// The columns for people: what, figure, mark.
    pub fn row(&self) -> [String; 3] {
        let missed = if self.reached() == Some(false) { ", missed" } else { "" };
        let mark = self.mark.map(|mark| mark.text(self.unit) + missed);
        [self.what.clone(), self.to_string(), mark.unwrap_or_default()]
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spread { low, median, high } = self.spread;
        let number = |value| self.unit.number(value);
        write!(f, "{}", self.unit.text(median))?;
        if low < high { write!(f, " ({}–{})", number(low), number(high)) } else { Ok(()) }
    }
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Ratio => "ratio",
            Self::Bytes => "bytes",
            Self::Mebibytes => "MiB",
            Self::Milliseconds => "ms",
            Self::Microseconds => "µs",
            Self::PerSecond => "/s",
            Self::Instructions => "instructions",
        }
    }

    fn text(self, value: f64) -> String {
        let number = self.number(value);
        match self {
            Self::Ratio => number,
            Self::PerSecond => format!("{number}/s"),
            _ => format!("{number} {}", self.name()),
        }
    }

    fn number(self, value: f64) -> String {
        match self {
            Self::Ratio => format!("{value:.3}"),
            Self::Mebibytes | Self::Milliseconds => format!("{value:.2}"),
            Self::Microseconds => format!("{value:.1}"),
            Self::Bytes | Self::PerSecond | Self::Instructions => grouped(value.round() as u64),
        }
    }
}

/// 1234567 as 1,234,567
pub fn grouped(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}

impl Mark {
    /// Whether a figure is as it should be.
    pub fn is_reached_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::Flat(share) => (value - 1.0).abs() <= share,
        }
    }

    fn json(self) -> Value {
        match self {
            Self::AtLeast(least) => json!({"atLeast": least}),
            Self::AtMost(most) => json!({"atMost": most}),
            Self::Flat(share) => json!({"atLeast": 1.0 - share, "atMost": 1.0 + share}),
        }
    }

    fn text(self, unit: Unit) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {}", unit.text(least)),
            Self::AtMost(most) => format!("≤ {}", unit.text(most)),
            Self::Flat(share) => format!("1 ± {}", unit.text(share)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_their_unit_does() {
        for (value, unit, text) in [
            (0.9234, Unit::Ratio, "0.923"),
            (140_000.0, Unit::Bytes, "140,000 bytes"),
            (999.0, Unit::Bytes, "999 bytes"),
            (1_000_000.0, Unit::PerSecond, "1,000,000/s"),
            (2.125, Unit::Mebibytes, "2.12 MiB"),
            (4.5, Unit::Milliseconds, "4.50 ms"),
            (150.04, Unit::Microseconds, "150.0 µs"),
        ] {
            let figure = Figure::new("", Spread::exact(value), unit);
            assert_eq!(figure.to_string(), text);
        }
        let spread = Spread { low: 0.9, median: 1.0, high: 1.1 };
        let figure = Figure::new("", spread, Unit::Ratio);
        assert_eq!(figure.to_string(), "1.000 (0.900–1.100)");
    }

    #[test]
    fn a_mark_is_reached_or_missed() {
        for (mark, value, reached) in [
            (Mark::AtLeast(0.92), 0.92, true),
            (Mark::AtLeast(0.92), 0.919, false),
            (Mark::AtMost(1.15), 1.15, true),
            (Mark::AtMost(1.15), 1.151, false),
            (Mark::Flat(0.03), 1.0299, true),
            (Mark::Flat(0.03), 0.969, false),
        ] {
            let figure = Figure::new("x", Spread::exact(value), Unit::Ratio).mark(mark);
            assert_eq!(figure.reached(), Some(reached), "{mark:?} {value}");
            assert_eq!(figure.row()[2].ends_with(", missed"), !reached, "{mark:?} {value}");
        }
        assert_eq!(Figure::new("x", Spread::exact(1.0), Unit::Ratio).reached(), None);
    }
}
