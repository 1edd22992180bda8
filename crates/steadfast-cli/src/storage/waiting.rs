//! A server that is waited for says so: nobody should look at a command that says nothing, and wonder.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use steadfast::engine::{Answer, Record};
use steadfast::storage::{Claim, Cursor, Merged, Page, StorageError, UserStorage, Writes};

/// After so long without an answer it is said.
const SILENCE: Duration = Duration::from_secs(2);

/// So often somebody looks.
const LOOK: Duration = Duration::from_millis(500);

/// A storage on a server. After two seconds in which it answered to nothing it is named on standard error.
pub(super) struct Waiting {
    storage: Arc<dyn UserStorage>,
    calls: Arc<Mutex<Calls>>,
}

#[derive(Default)]
struct Calls {
    under_way: usize,
    /// When the last one was answered, or the first one of those under way was made.
    since: Option<Instant>,
    is_said: bool,
}

impl Waiting {
    /// Around a storage with this name, whose calls are given up after so long.
    pub(super) fn new(storage: Arc<dyn UserStorage>, name: String, deadline: Duration) -> Waiting {
        let calls = Arc::new(Mutex::new(Calls::default()));
        let seen = Arc::downgrade(&calls);
        // Without it all works, and nothing is said.
        let _ = thread::Builder::new().name("waiting".to_owned()).spawn(move || watch(&seen, &name, deadline));
        Waiting { storage, calls }
    }

    fn call<R>(&self, call: impl FnOnce(&dyn UserStorage) -> R) -> R {
        {
            let mut calls = locked(&self.calls);
            calls.under_way += 1;
            calls.since.get_or_insert_with(Instant::now);
        }
        let answer = call(&*self.storage);
        let mut calls = locked(&self.calls);
        calls.under_way -= 1;
        calls.since = (calls.under_way > 0).then(Instant::now);
        calls.is_said = false;
        answer
    }
}

fn locked(calls: &Mutex<Calls>) -> MutexGuard<'_, Calls> {
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch(calls: &Weak<Mutex<Calls>>, name: &str, deadline: Duration) {
    while let Some(calls) = calls.upgrade() {
        let is_silent = {
            let mut calls = locked(&calls);
            let is_silent = calls.since.is_some_and(|since| since.elapsed() >= SILENCE);
            is_silent && !std::mem::replace(&mut calls.is_said, is_silent)
        };
        if is_silent {
            let deadline = deadline.as_secs();
            anstream::eprintln!("waiting for {name}, which does not answer: each call is given up after {deadline} s");
        }
        drop(calls);
        thread::sleep(LOOK);
    }
}

impl UserStorage for Waiting {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        self.call(|storage| storage.get(user, campaign))
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        self.call(|storage| storage.set(record))
    }

    fn look_up(&self, user: &str, campaign: &str) -> Answer {
        self.call(|storage| storage.look_up(user, campaign))
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        self.call(|storage| storage.get_many(user, campaigns))
    }

    fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        self.call(|storage| storage.set_many(records))
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        self.call(|storage| storage.merge(claim))
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        self.call(|storage| storage.merge_many(claims))
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        self.call(|storage| storage.records_of(user))
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        self.call(|storage| storage.erase(user))
    }

    fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        self.call(|storage| storage.scan(from, about))
    }

    fn settle(&self, user: &str) -> Result<(), StorageError> {
        self.call(|storage| storage.settle(user))
    }

    fn writes(&self) -> Writes {
        self.storage.writes()
    }
}
