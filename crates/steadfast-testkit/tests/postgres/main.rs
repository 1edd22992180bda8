//! The storage on a PostgreSQL server, on a real one.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract;
mod down;
mod merging;
mod refused;
mod rows;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use steadfast_engine::{GoalList, Record};
use steadfast_storage::{Claim, Condition, PostgresOptions, PostgresStorage, StorageError, StorageErrorKind};
use steadfast_testkit::servers::Postgres;

/// What no machine needs, however busy.
const PATIENCE: Duration = Duration::from_secs(25);

/// A server that tests share, each with a database of its own. It ends with the last of those that run at one moment.
fn server() -> Arc<Postgres> {
    static RUNNING: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    running.upgrade().unwrap_or_else(|| {
        let server = Arc::new(Postgres::start());
        *running = Arc::downgrade(&server);
        server
    })
}

fn patient() -> PostgresOptions {
    PostgresOptions {
        connect_deadline: PATIENCE,
        pool_deadline: PATIENCE,
        statement_deadline: PATIENCE,
        ..PostgresOptions::default()
    }
}

async fn open(url: &str) -> PostgresStorage {
    PostgresStorage::open(url, patient()).await.expect("it can be opened")
}

async fn refused(url: &str) -> StorageError {
    PostgresStorage::open(url, patient()).await.expect_err("it cannot be opened")
}

/// Waits until a statement answers this.
async fn until(server: &Postgres, url: &str, statement: &str, answer: &str) {
    let start = Instant::now();
    while server.ask(url, statement) != answer {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {statement} answers {answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What kind of failure it is, and that it says this: what is wrong, and what to do.
fn check(error: &StorageError, kind: StorageErrorKind, says: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    says.iter().for_each(|says| assert!(text.contains(says), "`{says}` in: {text}"));
    assert!(!text.contains("open secret") && !text.contains("open%20secret"), "a password in: {text}");
}

fn record(user: &str, campaign: &str, variation: &str, goals: &str) -> Record {
    Record { goals: GoalList::from_text(goals), ..Record::new(user, campaign, variation) }
}

fn claim(record: Record, condition: Condition) -> Claim {
    Claim { record, goal: None, condition, was_read: false }
}
