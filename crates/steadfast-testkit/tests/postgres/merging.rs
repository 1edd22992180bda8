//! Merging on the server is `merge::merge`, also when many do it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use steadfast_engine::{GoalList, Record};
use steadfast_storage::merge::merge;
use steadfast_storage::{AsyncUserStorage, Claim, Condition, Merged, Outcome, PostgresOptions, PostgresStorage};

use super::{claim, open, patient, record, server};

/// Lists by chance: goals that are parts of others, that hold the separator or half of it, empty ones, and characters that
/// PostgreSQL cannot hold or that stand for those.
fn goals() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a", "b", "ab", "_vwo_", "_vwo_", "_vwo_", "_vwo", "_", "vwo_", "Größe", "\0", "\u{1}", "\u{2}", "\u{3}",
    ]);
    vec(part, 0..8).prop_map(|parts| parts.concat())
}

fn variation() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["A", "B", "Old", "old", "", "\0"])
}

fn a_record() -> impl Strategy<Value = Record> {
    let meta_data = option::of(prop::sample::select(vec![json!({}), json!({"n": 1}), json!({"n": "größer\0"})]));
    (variation(), goals(), any::<bool>(), meta_data).prop_map(|(variation, goals, activated, meta_data)| Record {
        activated,
        meta_data,
        ..record("", "", variation, &goals)
    })
}

fn a_claim() -> impl Strategy<Value = Claim> {
    let condition = prop_oneof![
        Just(Condition::Absent),
        Just(Condition::Stored),
        Just(Condition::Unknown),
        variation().prop_map(|gone| Condition::Replaces(gone.to_owned())),
    ];
    // The goal ends the list, as a client has it, or is any.
    (a_record(), condition, option::of(goals()), any::<bool>()).prop_map(|(mut record, condition, goal, ends)| {
        if let Some(goal) = goal.as_deref().filter(|_| ends) {
            record.goals.push(goal);
        }
        Claim { record, goal, condition, was_read: false }
    })
}

/// The claim, as one for this place.
fn at(user: &str, campaign: &str, mut claim: Claim) -> Claim {
    claim.record.user_id = user.to_owned();
    claim.record.campaign_key = campaign.to_owned();
    claim
}

/// Runs a test on inputs by chance, so many times unless the environment says otherwise.
fn by_chance<S: Strategy>(cases: u32, inputs: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { cases };
    let config = Config { cases, failure_persistence: None, max_shrink_time: 20_000, ..Config::default() };
    TestRunner::new(config).run(inputs, test).unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_claim_comes_to_what_the_pure_function_says() {
    let (server, runtime, users) = (server(), runtime(), AtomicUsize::new(0));
    let storage = runtime.block_on(open(&server.database()));
    // What is there is often what the claim was made on.
    let inputs = (option::of(a_record()), a_claim(), any::<bool>(), any::<bool>());
    by_chance(1_000, &inputs, |(stored, mut wanted, is_same, goes_on)| {
        let user = format!("user-{}", users.fetch_add(1, Ordering::SeqCst));
        let stored = stored.map(|record| Record { user_id: user.clone(), campaign_key: "ab".into(), ..record });
        if let Some(stored) = &stored {
            if is_same {
                wanted.record.variation_name.clone_from(&stored.variation_name);
            }
            if goes_on {
                let mut goals = stored.goals.clone();
                goals.push(wanted.goal.as_deref().unwrap_or("a"));
                wanted.record.goals = goals;
            }
        }
        let claim = at(&user, "ab", wanted);
        let expected = merge(stored.as_ref(), &claim);
        let (merged, found) = runtime.block_on(async {
            if let Some(stored) = &stored {
                storage.set(stored.clone()).await.unwrap();
            }
            let merged = storage.merge(claim.clone()).await.unwrap();
            (merged, storage.get(&user, "ab").await.unwrap())
        });
        prop_assert_eq!(&merged, &expected);
        prop_assert_eq!(found, Some(expected.record));
        Ok(())
    });
}

#[test]
fn many_claims_come_to_what_they_do_one_after_the_other() {
    let (server, runtime, turns) = (server(), runtime(), AtomicUsize::new(0));
    let options = PostgresOptions { batch: 3, ..patient() };
    let storage = runtime.block_on(PostgresStorage::open(&server.database(), options)).unwrap();
    by_chance(150, &vec(((0..3_usize), (0..2_usize), a_claim()), 0..12), |claims| {
        let turn = turns.fetch_add(1, Ordering::SeqCst);
        let claims: Vec<Claim> = claims
            .into_iter()
            .map(|(user, campaign, claim)| at(&format!("{turn}-{user}"), ["ab", "cd"][campaign], claim))
            .collect();
        let mut model = std::collections::HashMap::<(String, String), Record>::new();
        let mut expected: Vec<Merged> = Vec::new();
        for claim in &claims {
            let place = (claim.record.user_id.clone(), claim.record.campaign_key.clone());
            expected.push(merge(model.get(&place), claim));
            model.insert(place, expected.last().unwrap().record.clone());
        }
        let merged = runtime.block_on(storage.merge_many(claims));
        let merged: Vec<Merged> = merged.into_iter().map(Result::unwrap).collect();
        prop_assert_eq!(merged, expected);
        for ((user, campaign), record) in model {
            let found = runtime.block_on(storage.get(&user, &campaign)).unwrap();
            prop_assert_eq!(found, Some(record));
        }
        Ok(())
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_pools_that_decide_differently_agree_on_every_user() {
    const USERS: usize = 2_000;
    const TASKS: usize = 8;
    let server = server();
    let url = server.database();
    let pools = [Arc::new(open(&url).await), Arc::new(open(&url).await)];
    let mut running = tokio::task::JoinSet::new();
    for task in 0..TASKS * pools.len() {
        let pool = Arc::clone(&pools[task % 2]);
        running.spawn(async move {
            // Each begins elsewhere, and has weights of its own: another variation for most users.
            let user_of = move |number: usize| (number + task * 173) % USERS;
            let wanted = move |number: usize| {
                let user = user_of(number);
                let variation = format!("V{}", (user * 31 + task) % 5);
                let goals = format!("goal-{task}");
                claim(record(&format!("user-{user}"), "ab", &variation, &goals), Condition::Absent)
            };
            let mut told = vec![Merged { record: Record::new("", "", ""), ..merge(None, &wanted(0)) }; USERS];
            let numbers: Vec<usize> = (0..USERS).collect();
            for (turn, some) in numbers.chunks(40).enumerate() {
                let merged = if (turn + task) % 2 == 0 {
                    pool.merge_many(some.iter().map(|number| wanted(*number)).collect()).await
                } else {
                    let mut merged = Vec::new();
                    for number in some {
                        merged.push(pool.merge(wanted(*number)).await);
                    }
                    merged
                };
                some.iter().zip(merged).for_each(|(number, merged)| told[user_of(*number)] = merged.unwrap());
            }
            told
        });
    }
    let told = running.join_all().await;
    let mut from = None;
    let mut stored = Vec::new();
    loop {
        let page = pools[0].scan(from.as_ref(), 500).await.unwrap();
        stored.extend(page.records);
        let Some(next) = page.next else { break };
        from = Some(next);
    }
    assert_eq!(stored.len(), USERS);
    for record in stored {
        let user: usize = record.user_id.strip_prefix("user-").unwrap().parse().unwrap();
        let of_user = || told.iter().map(|told| &told[user]);
        assert!(of_user().all(|merged| merged.record.variation_name == record.variation_name));
        assert_eq!(of_user().filter(|merged| merged.outcome == Outcome::Claimed).count(), 1);
        assert_eq!(of_user().filter(|merged| merged.newly_activated).count(), 1);
        let goals = |list: &GoalList| {
            let mut goals: Vec<String> = list.goals(std::iter::empty()).map(str::to_owned).collect();
            goals.sort();
            goals
        };
        let mut all: Vec<String> = (0..TASKS * 2).map(|task| format!("goal-{task}")).collect();
        all.sort();
        assert_eq!(goals(&record.goals), all, "no goal is lost");
        let mut new: Vec<String> = of_user().flat_map(|merged| goals(&merged.new_goals)).collect();
        new.sort();
        assert_eq!(new, all, "each is new to one");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_in_opposite_orders_wait_for_each_other_and_never_in_a_circle() {
    let server = server();
    let url = server.database();
    let storage = Arc::new(open(&url).await);
    let users: Vec<String> = (0..60).map(|number| format!("user-{number}")).collect();
    for turn in 0..6 {
        let mut running = tokio::task::JoinSet::new();
        for task in 0..8 {
            let (storage, mut users) = (Arc::clone(&storage), users.clone());
            running.spawn(async move {
                if task % 2 == 0 {
                    users.reverse();
                }
                let goals = format!("goal-{turn}-{task}");
                let claims = users.iter().map(|user| claim(record(user, "ab", "A", &goals), Condition::Stored));
                storage.merge_many(claims.collect()).await.into_iter().all(|merged| merged.is_ok())
            });
        }
        assert!(running.join_all().await.into_iter().all(|is_ok| is_ok));
    }
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(server.ask(&url, deadlocks), "0");
}
