//! What all VMs of an Envoy process share: metrics and shared data.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The metrics and shared data of a process, which several hosts may have in common.
#[derive(Clone, Default)]
pub struct Process(Arc<Mutex<Contents>>);

#[derive(Default)]
pub struct Contents {
    /// By their names.
    metrics: Vec<(String, Metric)>,
    /// Which metric each number is, from 1 on. Envoy gives another each time that it is asked, and keeps all.
    numbers: Vec<usize>,
    /// Values, and the versions of their last writing.
    pub shared: BTreeMap<String, (Vec<u8>, u32)>,
    last_version: u32,
}

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    pub is_counter: bool,
    pub value: u64,
}

impl Process {
    pub fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a metric with these labels, in the order of its name; `None` where there is none.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
        let labels = labels.iter().map(|(label, value)| format!("{label}=.={value};.;"));
        let name = labels.collect::<String>() + name;
        self.lock().metrics.iter().find(|(other, _)| *other == name).map(|(_, metric)| metric.value)
    }

    /// How many numbers for metrics were given.
    pub fn numbers(&self) -> usize {
        self.lock().numbers.len()
    }

    /// The names of all metrics.
    pub fn names(&self) -> Vec<String> {
        self.lock().metrics.iter().map(|(name, _)| name.clone()).collect()
    }
}

impl Contents {
    /// A number for the metric of this name, which is made where there is none.
    pub fn define(&mut self, name: String, is_counter: bool) -> u32 {
        let known = self.metrics.iter().position(|(other, _)| *other == name);
        let at = known.unwrap_or(self.metrics.len());
        if known.is_none() {
            self.metrics.push((name, Metric { is_counter, value: 0 }));
        }
        self.numbers.push(at);
        self.numbers.len() as u32
    }

    pub fn metric(&mut self, number: u32) -> Option<&mut Metric> {
        let at = *self.numbers.get((number as usize).checked_sub(1)?)?;
        self.metrics.get_mut(at).map(|(_, metric)| metric)
    }

    pub fn next_version(&mut self) -> u32 {
        self.last_version += 1;
        self.last_version
    }
}
