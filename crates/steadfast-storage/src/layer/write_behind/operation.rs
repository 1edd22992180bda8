//! One thing to be written, and when two of them come to one.

use std::collections::HashSet;

use steadfast_engine::stored::GOAL_SEPARATOR;
use steadfast_engine::{GoalList, Record};

use crate::merge::{Claim, Condition, merge};

/// Something to be written for a user in a campaign.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operation {
    /// Over whatever is there.
    Set(Record),
    /// Under the contract of merging.
    Merge(Claim),
}

impl Operation {
    pub(super) fn record(&self) -> &Record {
        match self {
            Operation::Set(record) => record,
            Operation::Merge(claim) => &claim.record,
        }
    }

    /// What is stored after it.
    pub(super) fn over(&self, stored: Option<&Record>) -> Record {
        match self {
            Operation::Set(record) => record.clone(),
            Operation::Merge(claim) => merge(stored, claim).record,
        }
    }

    /// About so many bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let record = self.record();
        let meta_data = record.meta_data.as_ref().map_or(0, |data| data.to_string().len() * 2);
        let goal = match self {
            Operation::Set(_) => 0,
            Operation::Merge(claim) => claim.goal.as_ref().map_or(0, String::len),
        };
        let texts = record.user_id.len() * 3 + record.campaign_key.len() * 2 + record.variation_name.len();
        texts + record.goals.as_str().len() + meta_data + goal + 256
    }
}

/// The one operation that comes to the same as both in their order, whatever is stored; `None` where there is none.
///
/// A record that is set makes what was before it nothing. Two claims come to one where they are of one variation, their
/// writers knew the same of the place, and their goals can be told apart by the separator: everything else depends on
/// what is stored, and is for the storage to say, one after the other.
pub(super) fn as_one(earlier: &Operation, later: &Operation) -> Option<Operation> {
    match (earlier, later) {
        (_, Operation::Set(record)) => Some(Operation::Set(record.clone())),
        (Operation::Set(record), Operation::Merge(claim)) => Some(Operation::Set(merge(Some(record), claim).record)),
        (Operation::Merge(earlier), Operation::Merge(later)) => claims_as_one(earlier, later).map(Operation::Merge),
    }
}

fn claims_as_one(earlier: &Claim, later: &Claim) -> Option<Claim> {
    use Condition::{Absent, Replaces, Stored, Unknown};
    let same = earlier.record.variation_name == later.record.variation_name;
    if !same || !is_plain(earlier) || !is_plain(later) {
        return None;
    }
    let condition = match (&earlier.condition, &later.condition) {
        (Absent, Absent) => Absent,
        // Only about metadata does it matter which: the later writer says what goes with the record now.
        (Absent | Stored, Absent | Stored) => Stored,
        (Unknown, Unknown) => Unknown,
        (Replaces(gone), Absent) => Replaces(gone.clone()),
        (Replaces(gone), Replaces(again)) if gone == again => Replaces(gone.clone()),
        _ => return None,
    };
    let record = merge(Some(&earlier.record), later).record;
    Some(Claim { record, goal: None, condition, was_read: false })
}

/// Whether the goals of a claim are a set, each item of its list one goal: then uniting them is uniting sets.
fn is_plain(claim: &Claim) -> bool {
    let list: &GoalList = &claim.record.goals;
    let goal = claim.goal.as_deref().unwrap_or_default();
    if list.is_empty() {
        return goal.is_empty();
    }
    let mut items = HashSet::new();
    let plain = list.as_str().split(GOAL_SEPARATOR).all(|item| !item.is_empty() && items.insert(item));
    plain && (goal.is_empty() || list.as_str().rsplit(GOAL_SEPARATOR).next() == Some(goal))
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;
    use proptest::test_runner::Config;
    use serde_json::json;

    use super::*;

    fn cases() -> Config {
        let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { 4_000 };
        Config { cases, failure_persistence: None, ..Config::default() }
    }

    fn variation() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["A", "B"])
    }

    fn record() -> impl Strategy<Value = Record> {
        let lists = vec!["", "g", "h", "g_vwo_h", "h_vwo_g", "g_vwo_g", "_vwo_", "g_vwo_", "a_vwo_b_vwo_b", "gh"];
        (variation(), prop::sample::select(lists), any::<bool>(), option::of(0..2)).prop_map(
            |(variation, goals, activated, number)| Record {
                goals: GoalList::from_text(goals),
                activated,
                meta_data: number.map(|number| json!({ "number": number })),
                ..Record::new("u", "c", variation)
            },
        )
    }

    fn operation() -> impl Strategy<Value = Operation> {
        let condition = prop_oneof![
            3 => Just(Condition::Absent),
            3 => Just(Condition::Stored),
            1 => Just(Condition::Unknown),
            2 => variation().prop_map(|gone| Condition::Replaces(gone.to_owned())),
        ];
        let goal = option::of(prop::sample::select(vec!["g", "h", "b", "b_vwo_b", "", "x"]));
        (record(), condition, goal, prop::bool::weighted(0.2)).prop_map(|(record, condition, goal, is_set)| {
            if is_set {
                return Operation::Set(record);
            }
            Operation::Merge(Claim { record, goal: goal.map(str::to_owned), condition, was_read: false })
        })
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn one_operation_comes_to_the_same_as_both(
            stored in option::of(record()), earlier in operation(), later in operation(),
        ) {
            if let Some(one) = as_one(&earlier, &later) {
                let both = later.over(Some(&earlier.over(stored.as_ref())));
                prop_assert_eq!(one.over(stored.as_ref()), both, "{:?}", one);
            }
        }
    }

    #[test]
    fn the_claims_of_a_visit_are_one() {
        let mut record = Record::new("u", "c", "A");
        let visit = Claim { record: record.clone(), goal: None, condition: Condition::Absent, was_read: true };
        record.goals.push("buy");
        let goal = Claim { record, goal: Some("buy".into()), condition: Condition::Stored, was_read: true };
        let one = claims_as_one(&visit, &goal).expect("one claim");
        assert_eq!((one.condition, one.record.goals.as_str()), (Condition::Stored, "buy"));
    }
}
