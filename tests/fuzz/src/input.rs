//! Structured input out of a fuzzer's bytes. (proptest's own way, its generator `PassThrough`, hands each
//! `prop_oneof!` half of the bytes that are left.)

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Bytes, each of which is a choice. Behind their end there are zeros: the first of each choice, so that a shorter
/// input is a simpler one.
pub struct Choices<'a>(std::slice::Iter<'a, u8>);

impl<'a> Choices<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data.iter())
    }

    fn byte(&mut self) -> usize {
        self.0.next().copied().unwrap_or_default().into()
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let number = if end <= 256 { self.byte() } else { self.byte() << 8 | self.byte() };
        number % end
    }

    /// Any bytes, a few.
    pub fn bytes(&mut self) -> Vec<u8> {
        let length = self.below(12);
        self.0.by_ref().take(length).copied().collect()
    }

    /// Any text, a short one.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Up to `most` of something.
    pub fn several<T>(&mut self, most: usize, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| one(self)).collect()
    }
}

/// What a strategy of proptest makes of these bytes, which seed its chance; `None` where it rejects them.
pub fn of<S: Strategy>(strategy: &S, data: &[u8]) -> Option<S::Value> {
    let mut seed = [0; 32];
    data.iter().zip(&mut seed).for_each(|(byte, seed)| *seed = *byte);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    Some(strategy.new_tree(&mut runner).ok()?.current())
}
