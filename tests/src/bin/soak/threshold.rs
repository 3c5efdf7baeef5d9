//! What the kubelet concludes from the verdicts of a probe (`pkg/kubelet/prober/worker.go`).

/// After how many verdicts in a row a probe's result changes.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    pub failure: u32,
    pub success: u32,
}

/// The verdicts so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Results {
    last: Option<bool>,
    /// How many in a row were as the last one.
    run: u32,
    /// Whether the probe passes; `None` before there was an end to it.
    pub passes: Option<bool>,
}

impl Results {
    pub fn add(&mut self, success: bool, thresholds: Thresholds) {
        self.run = if self.last == Some(success) { self.run + 1 } else { 1 };
        self.last = Some(success);
        let needed = if success { thresholds.success } else { thresholds.failure };
        if self.run >= needed {
            self.passes = Some(success);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_changes_after_verdicts_in_a_row() {
        let thresholds = Thresholds { failure: 3, success: 2 };
        let mut results = Results::default();
        for (success, passes) in [
            (true, None),
            (false, None),
            (true, None),
            (true, Some(true)),
            (false, Some(true)),
            (false, Some(true)),
            (true, Some(true)),
            (false, Some(true)),
            (false, Some(true)),
            (false, Some(false)),
            (true, Some(false)),
            (true, Some(true)),
        ] {
            results.add(success, thresholds);
            assert_eq!(results.passes, passes, "{results:?}");
        }
    }
}
