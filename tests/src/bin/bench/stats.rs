//! Medians and quartiles.

/// The middle half of what was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The lower quartile.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub high: f64,
}

impl Spread {
    /// Of one value a round.
    ///
    /// # Panics
    /// Where there is none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let [low, median, high] = [0.25, 0.5, 0.75].map(|share| quantile(&values, share));
        Self { low, median, high }
    }

    /// A figure that is the same every time.
    pub fn exact(value: f64) -> Self {
        Self { low: value, median: value, high: value }
    }
}

/// Linear between the two nearest of the sorted values.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() - 1) as f64 * share;
    let (below, above) = (place.floor(), place.ceil());
    let [below_value, above_value] = [below, above].map(|at| sorted[at as usize]);
    below_value + (above_value - below_value) * (place - below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_the_nearest_values() {
        for (values, low, median, high) in [
            (&[7.0][..], 7.0, 7.0, 7.0),
            (&[2.0, 1.0], 1.25, 1.5, 1.75),
            (&[3.0, 1.0, 2.0], 1.5, 2.0, 2.5),
            (&[5.0, 1.0, 4.0, 2.0, 3.0], 2.0, 3.0, 4.0),
            (&[1.0, 1.0, 1.0, 9.0], 1.0, 1.0, 3.0),
        ] {
            let spread = Spread::of(values.iter().copied());
            assert_eq!(spread, Spread { low, median, high }, "{values:?}");
        }
    }

    #[test]
    fn a_quantile_may_be_the_last_value() {
        let hundred: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(quantile(&hundred, 0.99), 99.0);
        assert_eq!(quantile(&hundred, 1.0), 100.0);
    }
}
