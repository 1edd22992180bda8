//! What happens when a record meets one that is there already: the contract of a built-in backend, as a pure function.
//!
//! - The first variation stays, unless the writer names it as gone and replaces exactly that one.
//! - Goals are a union: one that was recorded for a variation is never lost, whatever the order of writes. With a
//!   variation that is replaced its goals go: they were counted for it, and say nothing of the new one (spec M9).
//! - The record that is stored in the end is the answer, so that a writer who waits can show the winner.

use steadfast_engine::stored::GOAL_SEPARATOR;
use steadfast_engine::{GoalList, Precondition, Record, Write};

/// A record to be kept, and under which condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The complete record.
    pub record: Record,
    /// The goal at the end of the record's list that this claim adds, if it adds one.
    pub goal: Option<String>,
    /// What its writer knew about the place.
    pub condition: Condition,
    /// Whether the writer had it from the storage itself, a moment ago.
    pub was_read: bool,
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
    /// The goals that the claim brought and that were not listed: whoever brought them is the one who counts them.
    pub new_goals: GoalList,
    /// Whether it was this claim that activated the record: whoever did is the one who counts the visitor.
    pub newly_activated: bool,
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

/// Merges a claim with what is stored. A record of another user or campaign counts as nothing stored.
#[must_use]
pub fn merge(stored: Option<&Record>, claim: &Claim) -> Merged {
    let wanted = &claim.record;
    let Some(stored) =
        stored.filter(|stored| stored.campaign_key == wanted.campaign_key && stored.is_of(&wanted.user_id))
    else {
        return claimed(claim, Outcome::Claimed);
    };
    let same = stored.variation_name == wanted.variation_name;
    if !same {
        match &claim.condition {
            Condition::Replaces(gone) if *gone == stored.variation_name => return claimed(claim, Outcome::Replaced),
            Condition::Unknown => {
                return kept(stored.clone());
            }
            Condition::Absent | Condition::Stored | Condition::Replaces(_) => {}
        }
    }
    let mut merged = kept(stored.clone());
    let record = &mut merged.record;
    merged.new_goals = unite(&mut record.goals, claim);
    if same {
        record.meta_data = match claim.condition {
            // The writer saw the record and says what goes with it now.
            Condition::Stored => wanted.meta_data.clone(),
            _ => record.meta_data.take().or_else(|| wanted.meta_data.clone()),
        };
        // A visitor of a variation that lost was no visitor of the one that is stored.
        merged.newly_activated = wanted.activated && !record.activated;
        record.activated |= wanted.activated;
    }
    merged
}

/// What is stored stays as it is.
fn kept(record: Record) -> Merged {
    Merged { record, outcome: Outcome::Kept, new_goals: GoalList::default(), newly_activated: false }
}

/// The claim's record is stored as it is.
fn claimed(claim: &Claim, outcome: Outcome) -> Merged {
    let record = claim.record.clone();
    Merged { new_goals: record.goals.clone(), newly_activated: record.activated, record, outcome }
}

/// Adds the goals of a claim to those that are stored; which of them are new. A list that goes on where the stored one
/// ends is taken as it is: its writer knows the campaign's goals, and the storage does not. Otherwise the goal that it
/// adds is added unless it stands there, part by part.
fn unite(stored: &mut GoalList, claim: &Claim) -> GoalList {
    let complete = &claim.record.goals;
    let goal = claim.goal.as_deref().unwrap_or_default();
    if goal.is_empty() || complete.continues(stored) {
        return stored.unite(complete);
    }
    let read = complete.as_str().strip_suffix(goal).unwrap_or(complete.as_str());
    let mut new = stored.unite(&GoalList::from_text(read.strip_suffix(GOAL_SEPARATOR).unwrap_or(read)));
    if !stored.has_run(goal) {
        stored.push(goal);
        new.push(goal);
    }
    new
}

impl From<&Write<'_>> for Claim {
    fn from(write: &Write<'_>) -> Self {
        let condition = match write.precondition() {
            Precondition::Absent => Condition::Absent,
            Precondition::Stored => Condition::Stored,
            Precondition::Replaces(gone) => Condition::Replaces(gone.to_owned()),
            Precondition::Unknown => Condition::Unknown,
        };
        Claim {
            record: write.to_record(),
            goal: write.new_goal().map(str::to_owned),
            condition,
            was_read: write.was_read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(variation: &str, goals: &str) -> Record {
        let mut record = Record::new("u", "c", variation);
        record.goals = GoalList::from_text(goals);
        record
    }

    fn check(stored: Option<Record>, claim: Record, condition: Condition, expected: (&str, &str, Outcome)) {
        let merged = merge(stored.as_ref(), &Claim { record: claim, goal: None, condition, was_read: true });
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
    fn what_nobody_could_read_is_left_alone() {
        check(Some(record("A", "g")), record("B", "h"), Condition::Unknown, ("A", "g", Outcome::Kept));
        check(Some(record("A", "g")), record("A", "h"), Condition::Unknown, ("A", "g_vwo_h", Outcome::Kept));
        check(None, record("B", "h"), Condition::Unknown, ("B", "h", Outcome::Claimed));
    }

    #[test]
    fn a_record_of_somebody_else_is_an_empty_place() {
        let mut foreign = record("A", "g");
        foreign.user_id = "somebody else".into();
        check(Some(foreign), record("B", ""), Condition::Absent, ("B", "", Outcome::Claimed));
    }

    #[test]
    fn a_goal_that_is_a_part_of_another_is_added_by_a_writer_that_read_the_list() {
        let stored = record("A", "buy_vwo_now");
        let claim = Claim {
            record: record("A", "buy_vwo_now_vwo_now"),
            goal: Some("now".into()),
            condition: Condition::Stored,
            was_read: true,
        };
        let merged = merge(Some(&stored), &claim).record;
        assert_eq!(merged.goals.as_str(), "buy_vwo_now_vwo_now");
        let met = merge(
            Some(&record("A", "g_vwo_h")),
            &Claim { record: record("A", "g_vwo_x_vwo_x"), goal: Some("x_vwo_x".into()), ..claim },
        );
        assert_eq!(met.record.goals.as_str(), "g_vwo_h_vwo_x_vwo_x");
    }

    #[test]
    fn merging_twice_is_merging_once() {
        let conditions = [Condition::Absent, Condition::Stored, Condition::Replaces("A".into()), Condition::Unknown];
        for condition in conditions {
            for stored in [None, Some(record("A", "g")), Some(record("B", ""))] {
                let claim = Claim {
                    record: record("B", "h_vwo_g"),
                    goal: Some("g".into()),
                    condition: condition.clone(),
                    was_read: true,
                };
                let once = merge(stored.as_ref(), &claim).record;
                let twice = merge(Some(&once), &claim).record;
                assert_eq!(once, twice, "{condition:?} on {stored:?}");
            }
        }
    }

    #[test]
    fn a_goal_that_is_a_part_of_another_is_new_once() {
        for stored in ["", "buy", "buy_vwo_now", "sign"] {
            let claim = Claim {
                record: record("A", "buy_vwo_now_vwo_now"),
                goal: Some("now".into()),
                condition: Condition::Stored,
                was_read: true,
            };
            let once = merge(Some(&record("A", stored)), &claim);
            let twice = merge(Some(&once.record), &claim);
            assert_eq!((&twice.record, twice.new_goals.as_str()), (&once.record, ""), "{stored}");
        }
    }

    #[test]
    fn the_order_of_goals_arriving_loses_none() {
        let (first, second) = (record("A", "g_vwo_h"), record("A", "i_vwo_g"));
        let claim = |record: &Record| Claim {
            record: record.clone(),
            goal: None,
            condition: Condition::Stored,
            was_read: true,
        };
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
        let claim = |variation| Claim {
            record: record(variation, ""),
            goal: None,
            condition: Condition::Absent,
            was_read: true,
        };
        assert!(merge(Some(&waiting), &claim("A")).record.activated);
        assert!(!merge(Some(&waiting), &claim("B")).record.activated);
    }
}
