//! A server that stops, dies and comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use steadfast_engine::{Answer, Record};
use steadfast_storage::{AsyncUserStorage, Claim, Condition, PostgresOptions, PostgresStorage, StorageErrorKind};
use steadfast_testkit::servers::Postgres;
use tokio::time::timeout;

use super::{PATIENCE, check, claim, open, patient, record, server, until};

const DEADLINE: Duration = Duration::from_secs(1);

/// How many hold what they have locked in a database.
const WAITING: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";

fn hasty() -> PostgresOptions {
    PostgresOptions { connect_deadline: DEADLINE, pool_deadline: DEADLINE, statement_deadline: DEADLINE, ..patient() }
}

/// Asks until it is answered, which it has to be in the end.
async fn until_it_answers(storage: &PostgresStorage) -> Option<Record> {
    let start = Instant::now();
    loop {
        match storage.get("Ashley", "ab").await {
            Ok(found) => return found,
            Err(error) => assert!(error.is_temporary() && start.elapsed() < PATIENCE, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_says_nothing_is_waited_for_until_the_deadlines() {
    let server = Postgres::start();
    let url = server.database();
    open(&url).await;
    let storage = PostgresStorage::open(&url, PostgresOptions { pool_size: 2, ..hasty() }).await;
    let storage = Arc::new(storage.expect("it answers at first"));
    let ashley = Record::new("Ashley", "ab", "Control");
    storage.set(ashley.clone()).await.unwrap();
    server.stop();
    let start = Instant::now();
    // More than there are connections: each is refused, and none is an absence.
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let storage = Arc::clone(&storage);
        running.spawn(async move {
            let answers = storage.get_many("Ashley", &["ab", "other"]).await;
            assert!(answers.iter().all(|answer| matches!(answer, Answer::Failed(_))), "{answers:?}");
            let error = storage.merge(claim(Record::new("Eve", "ab", "A"), Condition::Absent)).await.unwrap_err();
            check(&error, StorageErrorKind::TimedOut, &["within 1000 ms"]);
            let many = storage.merge_many(vec![claim(Record::new("Eve", "cd", "A"), Condition::Absent); 3]).await;
            assert!(many.len() == 3 && many.iter().all(Result::is_err));
        });
    }
    running.join_all().await;
    // Each call waits at most for the pool, a connection and an answer.
    assert!(start.elapsed() < DEADLINE * 3 * 3 + PATIENCE / 5, "{:?}", start.elapsed());
    server.go_on();
    assert_eq!(until_it_answers(&storage).await, Some(ashley));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_dies_keeps_what_it_acknowledged() {
    let mut server = Postgres::start();
    let storage = Arc::new(open(&server.database()).await);
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let writer = tokio::spawn({
            let storage = Arc::clone(&storage);
            async move {
                let mut acknowledged = Vec::new();
                for number in 0..100_000 {
                    let records: Vec<Record> =
                        (0..5).map(|one| record(&format!("{round}-{number}-{one}"), "ab", "A", "buy")).collect();
                    let claims = records.iter().map(|record| claim(record.clone(), Condition::Absent)).collect();
                    let merged = storage.merge_many(claims).await;
                    let failed = merged.iter().any(Result::is_err);
                    let done = records.into_iter().zip(merged).filter(|(_, merged)| merged.is_ok());
                    acknowledged.extend(done.map(|(record, _)| record));
                    if failed {
                        break;
                    }
                }
                acknowledged
            }
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.kill();
        let of_round = writer.await.unwrap();
        assert!(!of_round.is_empty());
        acknowledged.extend(of_round);
        let down = storage.get("Ashley", "ab").await.expect_err("nobody is there");
        check(&down, StorageErrorKind::Unavailable, &["localhost"]);
        server.restart();
        assert_eq!(until_it_answers(&storage).await, None);
        for record in &acknowledged {
            let found = storage.get(&record.user_id, "ab").await.unwrap();
            assert_eq!(found.as_ref(), Some(record));
        }
    }
}

#[tokio::test]
async fn one_that_waits_for_a_lock_gives_up_and_says_so() {
    let server = server();
    let url = server.database();
    open(&url).await.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
    // Waiting for the pool ends before the statement does, and that before the other one lets go.
    let options = PostgresOptions {
        statement_deadline: Duration::from_secs(4),
        connect_deadline: PATIENCE,
        pool_size: 1,
        ..hasty()
    };
    let storage = PostgresStorage::open(&url, options).await.unwrap();
    // Somebody else has the row for as long as this takes.
    let (of_other, other_url) = (Arc::clone(&server), url.clone());
    let other = std::thread::spawn(move || {
        of_other.ask(&other_url, "BEGIN; SELECT * FROM steadfast_record FOR UPDATE; SELECT pg_sleep(10); COMMIT")
    });
    until(&server, &url, WAITING, "1").await;
    let goal = claim(record("Ashley", "ab", "Control", "buy"), Condition::Stored);
    let (late, crowded) = tokio::join!(storage.merge(goal.clone()), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        storage.get("Ashley", "ab").await
    });
    check(&late.unwrap_err(), StorageErrorKind::TimedOut, &["pg_stat_activity"]);
    check(&crowded.unwrap_err(), StorageErrorKind::TimedOut, &["all connections", "raise `pool_size`"]);
    assert!(storage.get("Ashley", "ab").await.unwrap().is_some(), "reading waits for nobody");
    let _ = other.join().unwrap();
    assert_eq!(storage.merge(goal).await.unwrap().record.goals.as_str(), "buy");
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_nothing_to_wait_for() {
    let server = server();
    let url = server.database();
    let storage = PostgresStorage::open(&url, PostgresOptions { pool_size: 1, ..patient() }).await.unwrap();
    storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
    let (of_other, other_url) = (Arc::clone(&server), url.clone());
    let other = std::thread::spawn(move || {
        of_other.ask(&other_url, "BEGIN; SELECT * FROM steadfast_record FOR UPDATE; SELECT pg_sleep(10); COMMIT")
    });
    until(&server, &url, WAITING, "1").await;
    let goal = claim(record("Ashley", "ab", "Control", "buy"), Condition::Stored);
    let given_up = timeout(Duration::from_millis(300), storage.merge(goal)).await;
    assert!(given_up.is_err(), "it waits for the other one");
    let start = Instant::now();
    assert!(storage.get("Ashley", "ab").await.unwrap().is_some());
    assert!(start.elapsed() < Duration::from_secs(7), "{:?}: it does not wait behind the merge", start.elapsed());
    let _ = other.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_give_up_leave_no_more_connections_than_the_pool_may_have() {
    let server = server();
    let url = server.database();
    let options = PostgresOptions { pool_size: 2, ..patient() };
    let storage = Arc::new(PostgresStorage::open(&url, options).await.unwrap());
    let (locking, there) = (Arc::clone(&server), url.clone());
    let other = std::thread::spawn(move || {
        let _ = locking.ask(&there, "BEGIN; LOCK TABLE steadfast_record; SELECT pg_sleep(20); COMMIT");
    });
    let locks = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted \
                 AND relation = 'steadfast_record'::regclass";
    until(&server, &url, locks, "1").await;
    for _ in 0..6 {
        let gets = [(); 2].map(|()| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move { timeout(Duration::from_millis(200), storage.get("Ashley", "ab")).await })
        });
        for get in gets {
            let answer = get.await.unwrap();
            assert!(answer.is_err(), "the table is locked: {answer:?}");
        }
    }
    // One that is given up ends on the server a moment after its place in the pool is free again.
    let open = "SELECT count(*) <= 2 FROM pg_stat_activity \
                WHERE application_name = 'steadfast' AND datname = current_database()";
    until(&server, &url, open, "t").await;
    other.join().unwrap();
    assert_eq!(storage.get("Ashley", "ab").await.unwrap(), None);
}

#[tokio::test]
async fn all_statements_of_a_call_end_after_its_deadline() {
    let server = server();
    let url = server.database();
    let options = PostgresOptions { statement_deadline: Duration::from_secs(4), ..patient() };
    let storage = PostgresStorage::open(&url, options).await.unwrap();
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$; \
                CREATE TRIGGER slow AFTER UPDATE ON steadfast_record FOR EACH STATEMENT EXECUTE FUNCTION slow()";
    let _ = server.ask(&url, slow);
    storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
    let claims = (0..20).map(|number| {
        let mut record = Record::new("Ashley", "ab", "Control");
        record.goals.push(&format!("goal {number}"));
        Claim { record, goal: None, condition: Condition::Stored, was_read: true }
    });
    let start = Instant::now();
    let merged = storage.merge_many(claims.collect()).await;
    // One after the other they take 20 seconds.
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
    assert!(merged[0].is_ok() && merged[19].is_err());
}
