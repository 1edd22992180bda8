//! The one thread that writes. Everything that waits at one moment goes into one transaction; all of it is on the disk
//! before anybody is answered.

use std::ops::Bound;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use redb::{Database, Durability, Table};
use steadfast_engine::Record;

use super::codec::encode;
use super::failure::{flawed, maybe_not_all};
use super::handle::{BETWEEN_TRIES, Handle};
use super::open::RECORDS;
use super::read::find;
use super::{gap, key};
use crate::error::StorageError;
use crate::merge::{Claim, Merged, merge};

type Records<'t> = Table<'t, &'static [u8], &'static [u8]>;
type Results<T> = Vec<Result<T, StorageError>>;

/// Something to be written, and who waits for it.
pub(super) enum Job {
    /// Records, over what is there.
    Set(Task<Record, ()>),
    /// Claims, under the contract of merging.
    Merge(Task<Claim, Merged>),
    /// Users, whose records go.
    Erase(Task<String, u64>),
}

/// Several things of a kind, what became of each, and where that is wanted.
pub(super) struct Task<I, O> {
    wanted: Vec<I>,
    results: Results<O>,
    reply: SyncSender<Results<O>>,
}

impl<I, O> Task<I, O> {
    /// A task, and where its results come.
    pub(super) fn new(wanted: Vec<I>) -> (Self, Receiver<Results<O>>) {
        let (reply, results) = sync_channel(1);
        (Task { results: Vec::with_capacity(wanted.len()), wanted, reply }, results)
    }

    /// Does all of it, in its order.
    fn perform(
        &mut self,
        mut one: impl FnMut(&I) -> Result<Result<O, StorageError>, redb::Error>,
    ) -> Result<(), redb::Error> {
        self.results.clear();
        for wanted in &self.wanted {
            let result = one(wanted)?;
            self.results.push(result);
        }
        Ok(())
    }

    fn answer(self, failure: Option<&StorageError>) {
        let results = match failure {
            None => self.results,
            Some(error) => self.wanted.iter().map(|_| Err(error.again())).collect(),
        };
        // Whoever does not wait any more does not want to know.
        self.reply.send(results).ok();
    }
}

impl Job {
    fn size(&self) -> usize {
        match self {
            Job::Set(task) => task.wanted.len(),
            Job::Merge(task) => task.wanted.len(),
            Job::Erase(task) => task.wanted.len(),
        }
    }

    fn perform(&mut self, writing: &mut Writing<'_, '_>) -> Result<(), redb::Error> {
        match self {
            Job::Set(task) => task.perform(|record| writing.set(record)),
            Job::Merge(task) => task.perform(|claim| writing.merge(claim)),
            Job::Erase(task) => task.perform(|user| writing.erase(user)),
        }
    }

    fn answer(self, failure: Option<&StorageError>) {
        match self {
            Job::Set(task) => task.answer(failure),
            Job::Merge(task) => task.answer(failure),
            Job::Erase(task) => task.answer(failure),
        }
    }
}

/// Writes what comes, until nobody can send any more.
pub(super) fn run(handle: &Handle, jobs: &Receiver<Job>, group: usize) {
    let mut failed: Option<(Instant, StorageError)> = None;
    while let Ok(first) = jobs.recv() {
        let mut size = first.size();
        let mut together = vec![first];
        while size < group
            && let Ok(next) = jobs.try_recv()
        {
            size += next.size();
            together.push(next);
        }
        // A write to a disk that is full fails, and with it the open file. Readers are spared that for a while.
        let still_failed = failed.take().filter(|(since, _)| since.elapsed() < BETWEEN_TRIES);
        failed = still_failed.or_else(|| {
            let written = handle.write(|database| write(handle, database, &mut together));
            written.err().map(|error| (Instant::now(), error))
        });
        for job in together {
            job.answer(failed.as_ref().map(|(_, error)| error));
        }
    }
}

/// One transaction. Where it changes nothing there is nothing to commit.
fn write(handle: &Handle, database: &Database, jobs: &mut [Job]) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_quick_repair(true);
    let records = transaction.open_table(RECORDS)?;
    let mut writing = Writing { handle, records, value: Vec::new(), has_changed: false };
    for job in jobs {
        job.perform(&mut writing)?;
    }
    let has_changed = writing.has_changed;
    drop(writing);
    if has_changed { Ok(transaction.commit()?) } else { Ok(transaction.abort()?) }
}

struct Writing<'h, 't> {
    handle: &'h Handle,
    records: Records<'t>,
    value: Vec<u8>,
    has_changed: bool,
}

impl Writing<'_, '_> {
    fn set(&mut self, record: &Record) -> Result<Result<(), StorageError>, redb::Error> {
        self.put(&key::key(&record.user_id, &record.campaign_key), record)
    }

    /// What cannot be read is no empty place: its claim fails, and it stays as it is.
    fn merge(&mut self, claim: &Claim) -> Result<Result<Merged, StorageError>, redb::Error> {
        let key = key::key(&claim.record.user_id, &claim.record.campaign_key);
        let stored = match find(&self.records, &key, self.handle.is_verified())?.transpose() {
            Ok(stored) => stored,
            Err(flaw) => return Ok(Err(flawed(self.handle.path(), flaw))),
        };
        let merged = merge(stored.as_ref(), claim);
        if stored.as_ref() == Some(&merged.record) {
            return Ok(Ok(merged));
        }
        Ok(self.put(&key, &merged.record)?.map(|()| merged))
    }

    /// What of the user's cannot be read goes, too. Where others beside it are damaged there may be more of the user
    /// elsewhere: what is found goes all the same, or two damaged neighbours would keep each other, and that is told.
    fn erase(&mut self, user: &str) -> Result<Result<u64, StorageError>, redb::Error> {
        let (first, end) = key::keys_of(user);
        let is_of_user = |key: &[u8]| (first.as_slice()..end.as_slice()).contains(&key);
        let mut is_all = true;
        for gap in [first.as_slice(), end.as_slice()] {
            is_all &= self.handle.is_verified() || gap::sound(&self.records, Bound::Included(gap), is_of_user)?.is_ok();
        }
        let mut erased = 0;
        for entry in self.records.extract_from_if(first.as_slice()..end.as_slice(), |_, _| true)? {
            entry?;
            erased += 1;
        }
        self.has_changed |= erased > 0;
        Ok(if is_all { Ok(erased) } else { Err(maybe_not_all(self.handle.path())) })
    }

    fn put(&mut self, key: &[u8], record: &Record) -> Result<Result<(), StorageError>, redb::Error> {
        if let Err(error) = encode(key, record, &mut self.value) {
            return Ok(Err(error));
        }
        self.records.insert(key, self.value.as_slice())?;
        self.has_changed = true;
        Ok(Ok(()))
    }
}
