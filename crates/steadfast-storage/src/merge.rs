//! What happens when a record meets one that is there already: the contract of a built-in backend, as a pure function.
//!
//! - The first variation stays, unless the writer names it as gone and replaces exactly that one.
//! - Goals are a union: one that was recorded for a variation is never lost, whatever the order of writes. With a
//!   variation that is replaced its goals go: they were counted for it, and say nothing of the new one (spec M9).
//! - The record that is stored in the end is the answer, so that a writer who waits can show the winner.

use steadfast_engine::{Precondition, Record, Write};

/// A record to be kept, and under which condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The complete record.
    pub record: Record,
    /// What its writer knew about the place.
    pub condition: Condition,
}

/// What the writer of a [`Claim`] knew: the owned form of [`Precondition`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It was empty.
    Absent,
    /// It held this variation.
    Stored,
    /// It held this variation, which is gone from the campaign.
    Replaces(String),
    /// Nobody knows.
    Unknown,
}

/// What is stored after a claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// The record that is stored now.
    pub record: Record,
    /// How the claim fared.
    pub outcome: Outcome,
    /// Whether the claim brought goals that were not listed.
    pub new_goals: bool,
}

/// How a claim fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The place was empty, and the claim's variation is stored.
    Claimed,
    /// The variation that was there stays.
    Kept,
    /// The variation that was there is gone from the campaign, and the claim's is stored.
    Replaced,
}

/// Merges a claim with what is stored.
#[must_use]
pub fn merge(stored: Option<&Record>, claim: &Claim) -> Merged {
    let Some(stored) = stored else {
        let record = claim.record.clone();
        return Merged { new_goals: !record.goals.is_empty(), record, outcome: Outcome::Claimed };
    };
    let mut goals = stored.goals.clone();
    let new_goals = goals.unite(&claim.record.goals);
    let same = stored.variation_name == claim.record.variation_name;
    let replaced = matches!(&claim.condition, Condition::Replaces(gone) if *gone == stored.variation_name && !same);
    if replaced {
        let record = claim.record.clone();
        return Merged { new_goals: !record.goals.is_empty(), record, outcome: Outcome::Replaced };
    }
    let meta_data = match claim.condition {
        // The writer saw the record and says what goes with it now.
        Condition::Stored if same => claim.record.meta_data.clone(),
        _ if same => stored.meta_data.clone().or_else(|| claim.record.meta_data.clone()),
        _ => stored.meta_data.clone(),
    };
    // A visitor of a variation that lost was no visitor of the one that is stored.
    let activated = stored.activated || (same && claim.record.activated);
    let record = Record { goals, activated, meta_data, ..stored.clone() };
    Merged { record, outcome: Outcome::Kept, new_goals }
}

impl From<&Write<'_>> for Claim {
    fn from(write: &Write<'_>) -> Self {
        let condition = match write.precondition() {
            Precondition::Absent => Condition::Absent,
            Precondition::Stored => Condition::Stored,
            Precondition::Replaces(gone) => Condition::Replaces(gone.to_owned()),
            Precondition::Unknown => Condition::Unknown,
        };
        Claim { record: write.to_record(), condition }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(variation: &str, goals: &str) -> Record {
        let mut record = Record::new("u", "c", variation);
        record.goals = steadfast_engine::GoalList::from_text(goals);
        record
    }

    fn check(stored: Option<Record>, claim: Record, condition: Condition, expected: (&str, &str, Outcome)) {
        let merged = merge(stored.as_ref(), &Claim { record: claim, condition });
        let found = (&*merged.record.variation_name, merged.record.goals.as_str(), merged.outcome);
        assert_eq!(found, expected);
    }

    #[test]
    fn the_first_variation_stays() {
        check(None, record("A", ""), Condition::Absent, ("A", "", Outcome::Claimed));
        check(Some(record("A", "g")), record("B", "h"), Condition::Absent, ("A", "g_vwo_h", Outcome::Kept));
        check(Some(record("A", "g")), record("B", ""), Condition::Unknown, ("A", "g", Outcome::Kept));
        check(Some(record("A", "g")), record("A", "g_vwo_h"), Condition::Stored, ("A", "g_vwo_h", Outcome::Kept));
    }

    #[test]
    fn exactly_the_named_variation_is_replaced() {
        let replaces = |gone: &str| Condition::Replaces(gone.to_owned());
        check(Some(record("Old", "g")), record("B", "h"), replaces("Old"), ("B", "h", Outcome::Replaced));
        check(Some(record("A", "g")), record("B", ""), replaces("Old"), ("A", "g", Outcome::Kept));
        check(None, record("B", ""), replaces("Old"), ("B", "", Outcome::Claimed));
    }

    #[test]
    fn merging_twice_is_merging_once() {
        let conditions = [Condition::Absent, Condition::Stored, Condition::Replaces("A".into()), Condition::Unknown];
        for condition in conditions {
            for stored in [None, Some(record("A", "g")), Some(record("B", ""))] {
                let claim = Claim { record: record("B", "h_vwo_g"), condition: condition.clone() };
                let once = merge(stored.as_ref(), &claim).record;
                let twice = merge(Some(&once), &claim).record;
                assert_eq!(once, twice, "{condition:?} on {stored:?}");
            }
        }
    }

    #[test]
    fn the_order_of_goals_arriving_loses_none() {
        let (first, second) = (record("A", "g_vwo_h"), record("A", "i_vwo_g"));
        let claim = |record: &Record| Claim { record: record.clone(), condition: Condition::Stored };
        let forward = merge(Some(&merge(None, &claim(&first)).record), &claim(&second)).record;
        let backward = merge(Some(&merge(None, &claim(&second)).record), &claim(&first)).record;
        let set = |record: &Record| {
            let mut goals: Vec<String> = record.goals.goals(std::iter::empty()).map(str::to_owned).collect();
            goals.sort();
            goals
        };
        assert_eq!(set(&forward), set(&backward));
    }

    #[test]
    fn an_activation_counts_only_for_its_own_variation() {
        let mut waiting = record("A", "");
        waiting.activated = false;
        let claim = |variation| Claim { record: record(variation, ""), condition: Condition::Absent };
        assert!(merge(Some(&waiting), &claim("A")).record.activated);
        assert!(!merge(Some(&waiting), &claim("B")).record.activated);
    }
}
