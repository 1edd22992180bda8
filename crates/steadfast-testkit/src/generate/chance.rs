//! What settings are made of by chance.

use crate::random::Random;

impl Random {
    /// A flag as settings have them: often missing.
    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.below(4) {
            0 => Some(true),
            1 => Some(false),
            _ => None,
        }
    }

    /// Some of these, in their order, each in this many of a hundred cases.
    pub(super) fn some<T: Clone>(&mut self, items: &[T], percent: u64) -> Vec<T> {
        items.iter().filter(|_| self.chance(percent)).cloned().collect()
    }
}
