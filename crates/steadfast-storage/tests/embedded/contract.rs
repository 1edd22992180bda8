//! The contract of merging and of every other call, held against the pure function and against the storage in memory.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::json;
use steadfast_engine::{Answer, GoalList, Record};
use steadfast_storage::merge::merge;
use steadfast_storage::{Claim, Condition, EmbeddedStorage, MemoryStorage, Outcome, UserStorage, Writes};

use crate::folder::{Folder, claim, record, records, scanned};

fn cases(count: u32) -> Config {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { count };
    Config { cases, failure_persistence: None, max_shrink_time: 10_000, ..Config::default() }
}

fn any_record() -> impl Strategy<Value = Record> {
    let goals = prop::sample::subsequence(vec!["g1", "g2", "g3", "Größe"], 0..=4).prop_shuffle();
    let names = ["", "u", "u\0", "u\0v", "ü"];
    let (user, campaign) = (prop::sample::select(names.to_vec()), prop::sample::select(vec!["a", "b", "\0"]));
    let data = option::of(prop_oneof![
        any::<f64>().prop_map(|number| json!({"number": number})),
        any::<i64>().prop_map(|number| json!({"number": number, "list": [null, true]})),
        any::<String>().prop_map(|text| json!({text: "text"})),
    ]);
    (user, campaign, prop::sample::select(vec!["A", "B", "Old"]), goals, any::<bool>(), data).prop_map(
        |(user, campaign, variation, goals, activated, meta_data)| {
            let mut list = GoalList::default();
            goals.into_iter().for_each(|goal| list.push(goal));
            Record { goals: list, activated, meta_data, ..Record::new(user, campaign, variation) }
        },
    )
}

fn any_claim() -> impl Strategy<Value = Claim> {
    let condition = prop_oneof![
        Just(Condition::Absent),
        Just(Condition::Stored),
        Just(Condition::Unknown),
        Just(Condition::Replaces("Old".to_owned())),
    ];
    (any_record(), condition, any::<bool>(), any::<bool>()).prop_map(|(record, condition, adds, was_read)| {
        let goal = record.goals.goals(std::iter::empty()).last().filter(|_| adds).map(str::to_owned);
        Claim { record, goal, condition, was_read }
    })
}

#[derive(Debug, Clone)]
enum Call {
    Merge(Claim),
    MergeMany(Vec<Claim>),
    Set(Record),
    SetMany(Vec<Record>),
    Erase(&'static str),
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        any_claim().prop_map(Call::Merge),
        vec(any_claim(), 0..6).prop_map(Call::MergeMany),
        any_record().prop_map(Call::Set),
        vec(any_record(), 0..4).prop_map(Call::SetMany),
        prop::sample::select(vec!["", "u", "u\0", "nobody"]).prop_map(Call::Erase),
    ]
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn every_call_answers_as_the_model_does_and_what_is_stored_is_the_same_after_opening_anew(
        calls in vec(call(), 0..12), group in 1_usize..5,
    ) {
        let folder = Folder::new();
        let options = steadfast_storage::EmbeddedOptions { group, ..Default::default() };
        let storage = EmbeddedStorage::open_with(folder.file(), options).unwrap();
        let memory = MemoryStorage::new();
        let mut model: BTreeMap<(String, String), Record> = BTreeMap::new();
        for call in calls {
            match call {
                Call::Merge(claim) => {
                    let place = (claim.record.user_id.clone(), claim.record.campaign_key.clone());
                    let expected = merge(model.get(&place), &claim);
                    prop_assert_eq!(&storage.merge(claim.clone()).unwrap(), &expected);
                    memory.merge(claim).unwrap();
                    model.insert(place, expected.record);
                }
                Call::MergeMany(claims) => {
                    let found = storage.merge_many(claims.clone());
                    prop_assert_eq!(found.len(), claims.len());
                    for (claim, found) in claims.into_iter().zip(found) {
                        let place = (claim.record.user_id.clone(), claim.record.campaign_key.clone());
                        let expected = merge(model.get(&place), &claim);
                        prop_assert_eq!(&found.unwrap(), &expected);
                        memory.merge(claim).unwrap();
                        model.insert(place, expected.record);
                    }
                }
                Call::Set(record) => {
                    storage.set(record.clone()).unwrap();
                    memory.set(record.clone()).unwrap();
                    model.insert((record.user_id.clone(), record.campaign_key.clone()), record);
                }
                Call::SetMany(records) => {
                    prop_assert!(storage.set_many(records.clone()).iter().all(Result::is_ok));
                    for record in records {
                        memory.set(record.clone()).unwrap();
                        model.insert((record.user_id.clone(), record.campaign_key.clone()), record);
                    }
                }
                Call::Erase(user) => {
                    prop_assert_eq!(storage.erase(user).unwrap(), memory.erase(user).unwrap());
                    model.retain(|(other, _), _| other != user);
                }
            }
        }
        drop(storage);
        let storage = EmbeddedStorage::open(folder.file()).unwrap();
        let stored: Vec<Record> = model.values().cloned().collect();
        prop_assert_eq!(&scanned(&storage, 2), &stored);
        prop_assert_eq!(&memory.records(), &stored);
        let campaigns = ["b", "none", "\0", "a"];
        for user in ["", "u", "u\0", "u\0v", "ü", "nobody"] {
            prop_assert_eq!(storage.records_of(user).unwrap(), memory.records_of(user).unwrap());
            prop_assert_eq!(storage.get_many(user, &campaigns), memory.get_many(user, &campaigns));
            for campaign in campaigns {
                prop_assert_eq!(storage.get(user, campaign).unwrap(), memory.get(user, campaign).unwrap());
                prop_assert_eq!(storage.look_up(user, campaign), memory.look_up(user, campaign));
            }
        }
    }
}

#[test]
fn everything_is_found_after_opening_anew() {
    let folder = Folder::new();
    let expected = records(5_000);
    crate::folder::fill(&folder.file(), &expected);
    let storage = EmbeddedStorage::open(folder.file()).unwrap();
    for record in &expected {
        assert_eq!(storage.get(&record.user_id, &record.campaign_key).unwrap().as_ref(), Some(record));
    }
    for about in [1, 7, 4_999, 5_000, 5_001, usize::MAX] {
        assert!(scanned(&storage, about) == expected, "pages of {about}");
    }
    assert_eq!(scanned(&storage, 0).len(), 5_000);
    assert_eq!(storage.get("user-000000", "search").unwrap(), None);
    assert_eq!(storage.look_up("user-000000", "search"), Answer::Absent);
    assert_eq!(storage.writes(), Writes::Together(1_000));
}

#[test]
fn threads_that_write_at_one_moment_agree_on_the_first_variation() {
    let folder = Folder::new();
    let storage = EmbeddedStorage::open(folder.file()).unwrap();
    for round in 0..20 {
        let user = format!("user-{round}");
        let merged: Vec<_> = std::thread::scope(|scope| {
            let (storage, user) = (&storage, &user);
            let threads: Vec<_> = ["A", "B", "C", "D", "E", "F"]
                .map(|variation| scope.spawn(move || storage.merge(claim(Record::new(user, "c", variation)))))
                .into_iter()
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
        });
        let stored = storage.get(&user, "c").unwrap().unwrap();
        assert!(merged.iter().all(|merged| merged.record.variation_name == stored.variation_name));
        assert_eq!(merged.iter().filter(|merged| merged.outcome == Outcome::Claimed).count(), 1);
    }
}

#[test]
fn reading_through_while_others_write_finds_what_is_there_all_the_time_once() {
    let folder = Folder::new();
    let storage = EmbeddedStorage::open(folder.file()).unwrap();
    // Every second user stays; those between them come and go.
    let staying: Vec<Record> = (0..1_000).map(|number| record(2 * number)).collect();
    storage.set_many(staying.clone());
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let passing: Vec<Record> =
                    (0..50).map(|place| record(2 * ((number + place * 20) % 1_000) + 1)).collect();
                storage.set_many(passing.clone());
                storage.erase(&passing[number % 50].user_id).unwrap();
                number += 1;
            }
        });
        for about in [10, 33, 500] {
            let found = scanned(&storage, about);
            assert!(found.is_sorted_by(|one, other| one.user_id < other.user_id));
            let found: Vec<Record> = found
                .into_iter()
                .filter(|record| record.user_id.trim_start_matches("user-").parse::<usize>().unwrap() % 2 == 0)
                .collect();
            assert!(found == staying);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn dropping_the_storage_waits_for_what_was_taken() {
    let folder = Folder::new();
    for round in 0..10 {
        let storage = std::sync::Arc::new(EmbeddedStorage::open(folder.file()).unwrap());
        let writer = {
            let storage = std::sync::Arc::clone(&storage);
            std::thread::spawn(move || storage.set(Record::new(format!("user-{round}"), "c", "A")))
        };
        drop(storage);
        writer.join().unwrap().unwrap();
        let storage = EmbeddedStorage::open(folder.file()).unwrap();
        assert!(storage.get(&format!("user-{round}"), "c").unwrap().is_some());
    }
}
