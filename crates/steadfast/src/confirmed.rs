//! A decision that was waited for until the storage had it: who was first is known, and what they stored is what the
//! user sees (decision D-10).
//!
//! 1. Decide as ever.
//! 2. Claim what is not known to be stored, and wait for the answer.
//! 3. Where somebody else's variation, or their count of the visitor, is what is stored, that is the record from now on:
//!    decide again on it. The event goes to whoever's claim it was that counted.

use steadfast_engine::{Decision, Effect, Reason, Record};
use steadfast_storage::{Claim, Condition, Merged, Outcome, StorageError, StorageErrorKind};

use crate::drive::{Claims, Outcome as _};
use crate::own_writes::OwnWrites;

/// So often a decision is made again because somebody else was faster. Each time something else is stored, which on one
/// and the same record happens a few times at most.
pub(crate) const ROUNDS: usize = 8;

/// A decision, and what is known about its being stored.
#[derive(Debug)]
pub struct Confirmed<'a> {
    /// What the user sees.
    pub decision: Decision<'a>,
    /// Whether it is what is stored.
    pub confirmation: Confirmation,
}

/// What is known about a decision's being stored.
#[derive(Debug)]
pub enum Confirmation {
    /// It is what is stored, by the storage's own word.
    Stored,
    /// It is what is stored, and somebody else stored it: this call would have decided otherwise, or counted the visitor
    /// once more.
    Adopted,
    /// There is nothing to be stored: no variation, a whitelisted user, or no storage.
    NothingToStore,
    /// The storage could not say in time, or not at all. The record is handed over, and the decision stands.
    Unconfirmed(StorageError),
}

/// What must be claimed before a decision is confirmed; none where there is nothing to wait for.
pub(crate) fn to_claim(decision: &Decision<'_>, own: &OwnWrites) -> Claims {
    let claims = decision.claims();
    if !claims.is_empty() || decision.reason() != Reason::Stored {
        return claims;
    }
    let (user, campaign) = (decision.user(), decision.campaign().key());
    if let Some(unconfirmed) = own.unconfirmed(user, campaign) {
        return Claims::from_iter([unconfirmed]);
    }
    // What the caller passed is not the storage's word.
    let passed = decision.options().user_storage_data.records().iter();
    let passed = passed.filter(|record| record.campaign_key == campaign && record.is_of(user)).take(1);
    passed
        .map(|record| Claim {
            record: Record { user_id: user.to_owned(), ..record.clone() },
            goal: None,
            condition: Condition::Absent,
            was_read: false,
        })
        .collect()
}

/// Somebody changed the record each time before it could be claimed.
pub(crate) fn restless() -> StorageError {
    StorageError::new(StorageErrorKind::Other, "the record changed each time it was claimed")
}

/// Whether the decision may stand as it is, now that its claim was answered: its variation is stored, and where it counts
/// the visitor nobody else has.
pub(crate) fn stands(decision: &Decision<'_>, merged: &Merged) -> bool {
    let same = Some(&*merged.record.variation_name) == decision.variation_name();
    let counts = merged.outcome != Outcome::Kept || merged.newly_activated;
    same && (counts || !decision.effects().any(|effect| matches!(effect, Effect::Send(_))))
}
