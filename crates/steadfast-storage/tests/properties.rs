//! Laws of merging, tried on many records, claims and orders of writes.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::json;
use steadfast_engine::{Answer, GoalList, Record};
use steadfast_storage::merge::merge;
use steadfast_storage::{Claim, Condition, MemoryStorage, Merged, Outcome, StorageError, UserStorage};

/// So many cases, unless the environment says otherwise. Failures are kept as tests with a name, not as seeds.
fn cases(count: u32) -> Config {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { count };
    Config { cases, failure_persistence: None, max_shrink_time: 10_000, ..Config::default() }
}

fn variation() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["A", "B", "Old"])
}

/// A record of one user in one campaign.
fn record() -> impl Strategy<Value = Record> {
    let goals = prop::sample::subsequence(vec!["g1", "g2", "g3", "Größe"], 0..=4).prop_shuffle();
    (variation(), goals, any::<bool>(), option::of(0..3)).prop_map(|(variation, goals, activated, number)| {
        let mut list = GoalList::default();
        goals.into_iter().for_each(|goal| list.push(goal));
        let meta_data = number.map(|number| json!({"number": number}));
        Record { goals: list, activated, meta_data, ..Record::new("u", "c", variation) }
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        Just(Condition::Absent),
        Just(Condition::Stored),
        Just(Condition::Unknown),
        variation().prop_map(|gone| Condition::Replaces(gone.to_owned())),
    ]
}

fn claim() -> impl Strategy<Value = Claim> {
    (record(), condition(), any::<bool>()).prop_map(|(record, condition, adds)| {
        let goal = record.goals.goals(std::iter::empty()).last().filter(|_| adds).map(str::to_owned);
        Claim { record, goal, condition, was_read: false }
    })
}

/// A claim of somebody who could read what is stored, and does not know of a variation that is gone.
fn claim_that_replaces_nothing() -> impl Strategy<Value = Claim> {
    claim().prop_map(|claim| match claim.condition {
        Condition::Replaces(_) | Condition::Unknown => Claim { condition: Condition::Absent, ..claim },
        _ => claim,
    })
}

fn goals(record: &Record) -> BTreeSet<&str> {
    record.goals.goals(std::iter::empty()).collect()
}

/// What is stored after these claims, one after the other.
fn merged<'c>(stored: Option<Record>, claims: impl IntoIterator<Item = &'c Claim>) -> Option<Record> {
    claims.into_iter().fold(stored, |stored, claim| Some(merge(stored.as_ref(), claim).record))
}

/// A service that only has `get` and `set`, as the document asks for.
#[derive(Default)]
struct Plain(MemoryStorage);

impl UserStorage for Plain {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.0.get(user, campaign)
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.0.set(record)
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn the_first_variation_stays_unless_it_is_replaced_by_name(stored in record(), claim in claim()) {
        let Merged { record, outcome, .. } = merge(Some(&stored), &claim);
        let named = claim.condition == Condition::Replaces(stored.variation_name.clone());
        if named && claim.record.variation_name != stored.variation_name {
            prop_assert_eq!(outcome, Outcome::Replaced);
            prop_assert_eq!(record, claim.record);
        } else {
            prop_assert_eq!(outcome, Outcome::Kept);
            prop_assert_eq!(record.variation_name, stored.variation_name);
        }
    }

    #[test]
    fn an_empty_place_takes_the_claim(claim in claim()) {
        let Merged { record, outcome, new_goals, .. } = merge(None, &claim);
        prop_assert_eq!(outcome, Outcome::Claimed);
        prop_assert_eq!(&new_goals, &claim.record.goals);
        prop_assert_eq!(record, claim.record);
    }

    #[test]
    fn merging_twice_is_merging_once(stored in option::of(record()), claim in claim()) {
        let once = merge(stored.as_ref(), &claim);
        let twice = merge(Some(&once.record), &claim);
        prop_assert_eq!(once.record, twice.record);
        prop_assert!(twice.new_goals.is_empty());
    }

    #[test]
    fn goals_only_grow_while_the_variation_stays(stored in record(), claims in vec(claim(), 0..6)) {
        let mut stored = stored;
        for claim in &claims {
            let Merged { record, outcome, new_goals, .. } = merge(Some(&stored), claim);
            let blind = claim.condition == Condition::Unknown && claim.record.variation_name != stored.variation_name;
            if blind {
                prop_assert_eq!(&record, &stored, "what nobody could read is left alone");
            } else if outcome == Outcome::Kept {
                prop_assert!(record.goals.as_str().starts_with(stored.goals.as_str()));
                prop_assert_eq!(goals(&record), &goals(&stored) | &goals(&claim.record));
                prop_assert_eq!(!new_goals.is_empty(), record.goals != stored.goals);
                prop_assert!(record.activated || !stored.activated, "an activation is never taken back");
            }
            stored = record;
        }
    }

    #[test]
    fn the_order_of_claims_does_not_matter_to_the_goals(
        stored in option::of(record()), claims in vec(claim_that_replaces_nothing(), 2..6).prop_shuffle(),
    ) {
        let forward = merged(stored.clone(), &claims).unwrap();
        let backward = merged(stored.clone(), claims.iter().rev()).unwrap();
        prop_assert_eq!(goals(&forward), goals(&backward));
        if let Some(stored) = stored {
            prop_assert_eq!(&forward.variation_name, &stored.variation_name);
            prop_assert_eq!(&backward.variation_name, &stored.variation_name);
            prop_assert_eq!(forward.activated, backward.activated);
        } else {
            prop_assert_eq!(&forward.variation_name, &claims[0].record.variation_name);
            prop_assert_eq!(backward.variation_name, claims.last().unwrap().record.variation_name.clone());
        }
    }

    #[test]
    fn merging_in_two_places_comes_to_the_same_goals(
        stored in record(), left in vec(claim_that_replaces_nothing(), 0..4),
        right in vec(claim_that_replaces_nothing(), 0..4),
    ) {
        let one = merged(Some(stored.clone()), &left).unwrap();
        let other = merged(Some(stored.clone()), &right).unwrap();
        let as_claim = |record: &Record| Claim { record: record.clone(), goal: None, condition: Condition::Unknown, was_read: false };
        let one_first = merge(Some(&one), &as_claim(&other)).record;
        let other_first = merge(Some(&other), &as_claim(&one)).record;
        prop_assert_eq!(goals(&one_first), goals(&other_first));
        prop_assert_eq!(one_first.activated, other_first.activated);
        prop_assert_eq!(one_first.variation_name, stored.variation_name);
    }

    #[test]
    fn user_and_campaign_are_those_of_the_place(stored in option::of(record()), claim in claim()) {
        let record = merge(stored.as_ref(), &claim).record;
        prop_assert_eq!((&*record.user_id, &*record.campaign_key), ("u", "c"));
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn the_memory_storage_keeps_to_the_contract(claims in vec(claim(), 0..8)) {
        let storage = MemoryStorage::new();
        let mut model: Option<Record> = None;
        for claim in &claims {
            let expected = merge(model.as_ref(), claim);
            prop_assert_eq!(&storage.merge(claim.clone()).unwrap(), &expected);
            model = Some(expected.record);
            prop_assert_eq!(&storage.get("u", "c").unwrap(), &model);
        }
        prop_assert_eq!(storage.records(), model.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(storage.get("u", "d").unwrap(), None);
        prop_assert_eq!(storage.get("v", "c").unwrap(), None);
    }

    #[test]
    fn looking_up_many_is_looking_up_each(records in vec((0..3_u8, 0..3_u8, record()), 0..8)) {
        let storage = MemoryStorage::new();
        let name = |number: &u8| number.to_string();
        for (user, campaign, record) in &records {
            storage.set(Record { user_id: name(user), campaign_key: name(campaign), ..record.clone() }).unwrap();
        }
        let campaigns = ["2", "0", "none", "1"];
        for user in ["0", "1", "2", "none"] {
            let each: Vec<Answer> = campaigns
                .iter()
                .map(|campaign| Answer::from(storage.get(user, campaign).unwrap()))
                .collect();
            prop_assert_eq!(storage.get_many(user, &campaigns), each);
        }
    }

    #[test]
    fn a_plain_service_is_never_written_over_when_nobody_knows_what_is_there(
        stored in record(), claims in vec(claim(), 0..6),
    ) {
        let storage = Plain::default();
        storage.set(stored.clone()).unwrap();
        for claim in claims {
            let before = storage.get("u", "c").unwrap().unwrap();
            let same = claim.record.variation_name == before.variation_name;
            storage.merge(Claim { condition: Condition::Unknown, ..claim }).unwrap();
            let after = storage.get("u", "c").unwrap().unwrap();
            prop_assert_eq!(&after.variation_name, &stored.variation_name);
            prop_assert!(goals(&before).is_subset(&goals(&after)));
            prop_assert!(same || before == after);
        }
    }

    #[test]
    fn threads_that_write_at_one_moment_agree_on_the_first_variation(claims in vec(claim(), 2..5)) {
        let storage = MemoryStorage::new();
        let (storage, claims) = (&storage, &claims);
        let merged: Vec<Merged> = std::thread::scope(|scope| {
            let absent = |claim: &Claim| Claim { condition: Condition::Absent, ..claim.clone() };
            let threads: Vec<_> =
                claims.iter().map(|claim| scope.spawn(move || storage.merge(absent(claim)).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let stored = storage.get("u", "c").unwrap().unwrap();
        prop_assert!(merged.iter().all(|one| one.record.variation_name == stored.variation_name));
        prop_assert_eq!(merged.iter().filter(|one| one.outcome == Outcome::Claimed).count(), 1);
        prop_assert!(claims.iter().all(|claim| goals(&claim.record).is_subset(&goals(&stored))));
    }
}
