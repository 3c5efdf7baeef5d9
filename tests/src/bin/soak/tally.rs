//! How many verdicts, and how many of them wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use crate::app::FLEET;
use crate::state::{AppKind, AppState};

/// Why a verdict does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncounted {
    /// The app's state changed meanwhile.
    Changed,
    /// The machine was busy with something else.
    Starved,
}

/// Of all verdicts so far.
#[derive(Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    by_state: BTreeMap<(AppState, AppKind), Count>,
    changed: u32,
    starved: u32,
}

#[derive(Clone, Copy, Default)]
struct Count {
    all: u32,
    wrong: u32,
}

impl Tally {
    pub fn counted(&self, kind: AppKind, state: AppState, agree: bool) {
        let mut counts = self.0.lock().expect("no thread panics");
        let count = counts.by_state.entry((state, kind)).or_default();
        count.all += 1;
        count.wrong += u32::from(!agree);
    }

    pub fn uncounted(&self, why: Uncounted) {
        let mut counts = self.0.lock().expect("no thread panics");
        match why {
            Uncounted::Changed => counts.changed += 1,
            Uncounted::Starved => counts.starved += 1,
        }
    }

    /// Whether no verdict was wrong, and most of them counted: else it says nothing.
    pub fn is_well(&self) -> bool {
        let counts = self.0.lock().expect("no thread panics");
        let sum = counts.sum();
        sum.wrong == 0 && sum.all > counts.changed + counts.starved
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
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0.lock().expect("no thread panics");
        write!(f, "\n{:<26}", "verdicts (wrong of all)")?;
        FLEET.iter().try_for_each(|(kind, _)| write!(f, "{:<12}", kind.name()))?;
        for state in AppState::ALL {
            write!(f, "\n{state:<26}")?;
            let mut kinds = FLEET.iter();
            kinds.try_for_each(|(kind, _)| write!(f, "{:<12}", counts.cell(state, *kind)))?;
        }
        let Count { all, wrong } = counts.sum();
        writeln!(f, "\n\n{wrong} of {all} verdicts are wrong.")?;
        let (changed, starved) = (counts.changed, counts.starved);
        writeln!(f, "Not counted: {changed} of apps that changed, {starved} on a busy machine.")?;
        if all <= changed + starved {
            writeln!(f, "Too few count for this to say anything.")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_verdict_or_too_few_are_not_well() {
        let tally = Tally::default();
        assert!(!tally.is_well());
        tally.uncounted(Uncounted::Changed);
        tally.counted(AppKind::Http, AppState::Healthy, true);
        assert!(!tally.is_well());
        tally.counted(AppKind::Http, AppState::Healthy, true);
        assert!(tally.is_well());
        tally.uncounted(Uncounted::Starved);
        assert!(!tally.is_well());
        tally.counted(AppKind::Http, AppState::Healthy, true);
        tally.counted(AppKind::Http, AppState::Healthy, true);
        tally.counted(AppKind::Http, AppState::Healthy, false);
        assert!(!tally.is_well());
        let text = tally.to_string();
        assert!(text.contains("1 of 5  ") && text.contains("1 of 5 verdicts"), "{text}");
    }
}
