//! What a decision met that somebody should hear of. The driver logs it; the engine has no log.

use std::fmt;

/// One thing met on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Warning {
    /// Data the caller passed names another user, and was not used (decision D-2).
    CallerDataOfAnotherUser,
    /// Data the caller passed names only other campaigns, and was not used (decision D-2).
    CallerDataOfAnotherCampaign,
    /// Data the caller passed names a variation that the campaign does not have (decision D-2).
    CallerDataUnknownVariation,
    /// The stored record names a variation that the campaign does not have (spec STO-27).
    StaleRecord,
    /// The storage answered with a record of another user or campaign; it counts as nothing stored (spec Q-6).
    ForeignRecord,
    /// The storage could not answer for the campaign or a member of its group.
    StorageFailed,
    /// A regular expression of a segment ran out of steps and counted as no match (spec Q-86).
    PatternGaveUp,
}

/// A set of [`Warning`]s.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Warnings(u8);

impl Warning {
    const ALL: [Warning; 7] = [
        Warning::CallerDataOfAnotherUser,
        Warning::CallerDataOfAnotherCampaign,
        Warning::CallerDataUnknownVariation,
        Warning::StaleRecord,
        Warning::ForeignRecord,
        Warning::StorageFailed,
        Warning::PatternGaveUp,
    ];
}

impl Warnings {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `warning` is among them.
    #[must_use]
    pub fn contains(self, warning: Warning) -> bool {
        self.0 & (1 << warning as u8) != 0
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = Warning> {
        Warning::ALL.into_iter().filter(move |warning| self.contains(*warning))
    }

    pub(crate) fn add(&mut self, warning: Warning) {
        self.0 |= 1 << warning as u8;
    }
}

impl fmt::Debug for Warnings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Warning::CallerDataOfAnotherUser => "the user storage data passed names another user: not used",
            Warning::CallerDataOfAnotherCampaign => "the user storage data passed names another campaign: not used",
            Warning::CallerDataUnknownVariation => {
                "the user storage data passed names a variation that the campaign does not have: evaluated afresh"
            }
            Warning::StaleRecord => {
                "the stored record names a variation that the campaign does not have: evaluated afresh"
            }
            Warning::ForeignRecord => "the storage answered with a record of another user or campaign: not used",
            Warning::StorageFailed => "the storage could not answer",
            Warning::PatternGaveUp => "a regular expression ran out of steps: counted as no match",
        })
    }
}
