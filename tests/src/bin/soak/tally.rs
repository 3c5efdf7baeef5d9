//! How many verdicts, and how many of them wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use crate::explanation::Explanation;
use crate::state::{AppKind, AppState};

/// Of all verdicts so far.
#[derive(Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    by_state: BTreeMap<(AppState, AppKind), Count>,
    /// Of apps that changed meanwhile: the verdicts are the same.
    changed: u32,
    /// They differ.
    explained: BTreeMap<Explanation, u32>,
    restarts: u32,
    out_of_rotation: u32,
    /// After so many verdicts the kubelet held another opinion than of the app itself.
    misled: u32,
    recovered: u32,
    recovered_late: u32,
    /// In periods of the probe.
    longest_wait: f64,
}

#[derive(Clone, Copy, Default)]
struct Count {
    all: u32,
    wrong: u32,
}

impl Tally {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().expect("no thread panics")
    }

    pub fn counted(&self, kind: AppKind, state: AppState, agree: bool) {
        let mut counts = self.counts();
        let count = counts.by_state.entry((state, kind)).or_default();
        count.all += 1;
        count.wrong += u32::from(!agree);
    }

    pub fn changed(&self) {
        self.counts().changed += 1;
    }

    pub fn explained(&self, explanation: Explanation) {
        *self.counts().explained.entry(explanation).or_default() += 1;
    }

    pub fn restarted(&self) {
        self.counts().restarts += 1;
    }

    pub fn out_of_rotation(&self) {
        self.counts().out_of_rotation += 1;
    }

    pub fn misled(&self) {
        self.counts().misled += 1;
    }

    /// An app has, and has been asked after so many periods: whether its probe has as well.
    pub fn recovered(&self, at_once: bool, wait: f64) {
        let mut counts = self.counts();
        counts.recovered += 1;
        counts.recovered_late += u32::from(!at_once);
        counts.longest_wait = counts.longest_wait.max(wait);
    }

    /// Whether no verdict was wrong, and enough of them counted: else it says nothing.
    pub fn is_well(&self, enough: u32) -> bool {
        let sum = self.counts().sum();
        sum.wrong == 0 && sum.all >= enough
    }
}

impl Counts {
    fn sum(&self) -> Count {
        self.by_state.values().fold(Count::default(), |sum, count| Count {
            all: sum.all + count.all,
            wrong: sum.wrong + count.wrong,
        })
    }

    fn cell(&self, state: AppState, kind: AppKind) -> String {
        match self.by_state.get(&(state, kind)) {
            None => "-".into(),
            Some(Count { all, wrong: 0 }) => all.to_string(),
            Some(Count { all, wrong }) => format!("{wrong} of {all}"),
        }
    }

    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{:<26}", "verdicts (wrong of all)")?;
        AppKind::ALL.iter().try_for_each(|kind| write!(f, "{:<12}", kind.name()))?;
        for state in AppState::ALL {
            write!(f, "\n{state:<26}")?;
            let mut kinds = AppKind::ALL.iter();
            kinds.try_for_each(|kind| write!(f, "{:<12}", self.cell(state, *kind)))?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        counts.table(f)?;
        let Count { all, wrong } = counts.sum();
        let explained = |why| counts.explained.get(&why).copied().unwrap_or_default();
        let by_change = explained(Explanation::Changed);
        writeln!(f, "\n{wrong} of {all} verdicts are wrong, and nothing explains it.")?;
        writeln!(
            f,
            "Others differ: {by_change} of {} of apps that changed meanwhile, {} while an app, Envoy, the agent or \
             who asked waited for a processor, {} that waited for the dial of another probe, {} that took another \
             check's connection.",
            counts.changed + by_change,
            explained(Explanation::Busy),
            explained(Explanation::LeftDial),
            explained(Explanation::Spare),
        )?;
        writeln!(
            f,
            "Apps recovered {} times. {} times their probe was wrong the first time it was asked after that, which \
             was within {:.2} of its periods, or of the end of the one before.",
            counts.recovered, counts.recovered_late, counts.longest_wait,
        )?;
        writeln!(
            f,
            "The kubelet restarted {} containers, took {} out of rotation, and after {} verdicts thought otherwise \
             of an app than the app deserved.",
            counts.restarts, counts.out_of_rotation, counts.misled,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_verdict_or_too_few_are_not_well() {
        let tally = Tally::default();
        tally.explained(Explanation::Changed);
        tally.explained(Explanation::Busy);
        tally.changed();
        tally.counted(AppKind::Http, AppState::Healthy, true);
        assert!(!tally.is_well(2));
        tally.counted(AppKind::Http, AppState::Healthy, true);
        assert!(tally.is_well(2));
        tally.counted(AppKind::Http, AppState::Healthy, false);
        assert!(!tally.is_well(2));
        let text = tally.to_string();
        assert!(text.contains("1 of 3  ") && text.contains("1 of 3 verdicts"), "{text}");
        assert!(text.contains("1 of 2 of apps that changed meanwhile, 1 while"), "{text}");
    }
}
