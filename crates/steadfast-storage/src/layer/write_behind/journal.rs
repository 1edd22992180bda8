//! The journal: a file with what the storage does not have yet, written by a thread of its own, many jobs in one
//! transaction. What is answered is on the disk.
//!
//! A redb database with two tables. `claims`: from user and campaign to the operations of that place, in their order, as
//! JSON behind a version and a CRC-32 of key and value. `erased`: from a user whom the storage is still to erase, the
//! tombstone, to the time until which that is tried, in milliseconds since 1970. Erasing a user takes their claims out
//! of the first table and puts the tombstone into the second in one transaction.

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table, TableDefinition, TableHandle};
use serde_json::{Value, json};
use steadfast_engine::{GoalList, Record};
use tokio::sync::oneshot;

use super::operation::{Operation, as_one};
use super::pending::Place;
use crate::backend::embedded::{Overlay, let_go};
use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{Claim, Condition};

const CLAIMS: TableDefinition<'static, (&str, &str), &[u8]> = TableDefinition::new("claims");
const ERASED: TableDefinition<'static, &str, u64> = TableDefinition::new("erased");
const VERSION: u8 = 1;
const CHECKSUM: usize = 4;
/// So many jobs are done in one transaction at most.
const TOGETHER: usize = 4_096;
/// A file that failed is not opened anew more often than this.
const BETWEEN_TRIES: Duration = Duration::from_secs(1);
/// It is written far more than read.
const CACHE_BYTES: usize = 16 << 20;

/// An answer that comes when it is on the disk.
pub(super) type Reply<R> = oneshot::Receiver<Result<R, StorageError>>;

/// What waits for a user: campaigns, and their operations.
pub(super) type OfUser = Vec<(String, Vec<Operation>)>;

/// The same, with nothing where the operations cannot be read.
type Readable = Vec<(String, Option<Vec<Operation>>)>;

/// The way to the thread that writes. The thread ends when it is dropped.
#[derive(Debug)]
pub(super) struct Journal {
    jobs: Sender<Job>,
    places: Arc<AtomicU64>,
}

/// What was found on the disk when it was opened.
#[derive(Debug)]
pub(super) struct Found {
    /// Users whom the storage is still to erase, and until when that is tried, in milliseconds since 1970.
    pub(super) erased: Vec<(String, u64)>,
    pub(super) has_claims: bool,
}

/// Some places, and whether there are more behind them.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) places: Vec<(Place, Vec<Operation>)>,
    /// Where to go on; none at the end.
    pub(super) next: Option<Place>,
    /// These could not be read, and were left.
    pub(super) unreadable: Vec<Place>,
}

enum Job {
    /// From now on these are the operations of this place.
    Put(Place, Vec<Operation>, oneshot::Sender<Result<(), StorageError>>),
    /// One more operation of this place.
    Append(Place, Box<Operation>, oneshot::Sender<Result<(), StorageError>>),
    /// A user goes; the storage is to erase them until then.
    Erase(String, u64, oneshot::Sender<Result<(), StorageError>>),
    /// The storage has erased them.
    Erased(String, oneshot::Sender<Result<(), StorageError>>),
    /// The operations of a user, in one campaign or in all.
    Read(String, Option<String>, oneshot::Sender<Result<OfUser, StorageError>>),
    /// The file is let go of, and nothing is done any more.
    Close(oneshot::Sender<Result<(), StorageError>>),
    /// Places behind this one, with about so many operations.
    Load(Option<Place>, usize, oneshot::Sender<Result<Loaded, StorageError>>),
}

/// What a job came to, until the transaction is on the disk.
enum Answer {
    Done(Result<(), StorageError>),
    Read(Result<OfUser, StorageError>),
    Loaded(Loaded),
}

impl Journal {
    /// Opens a journal, and makes it where there is none.
    ///
    /// # Errors
    /// When the file cannot be opened, is open elsewhere, or is damaged.
    pub(super) fn open(path: PathBuf) -> Result<(Journal, Found), StorageError> {
        let mut disk = Disk { path, database: None, next_try: Instant::now() };
        let found = disk.run(|database| {
            let transaction = database.begin_write()?;
            let found = {
                let claims = transaction.open_table(CLAIMS)?;
                let erased = transaction.open_table(ERASED)?;
                let mut users = Vec::new();
                for entry in erased.iter()? {
                    let (user, until) = entry?;
                    users.push((user.value().to_owned(), until.value()));
                }
                (claims.len()?, users)
            };
            transaction.commit()?;
            Ok(found)
        })?;
        let places = Arc::new(AtomicU64::new(found.0));
        let (jobs, waiting) = channel();
        let of_thread = Arc::clone(&places);
        thread::Builder::new()
            .name("steadfast-journal".to_owned())
            .spawn(move || run(disk, &waiting, &of_thread))
            .map_err(|error| {
                let message = "the system has no thread left to write the journal with: try again";
                StorageError::new(StorageErrorKind::Unavailable, message).with_source(error)
            })?;
        Ok((Journal { jobs, places }, Found { erased: found.1, has_claims: found.0 > 0 }))
    }

    /// Places in the file.
    pub(super) fn places(&self) -> u64 {
        self.places.load(Ordering::Relaxed)
    }

    pub(super) fn put(&self, place: Place, operations: Vec<Operation>) -> Reply<()> {
        self.ask(|reply| Job::Put(place, operations, reply))
    }

    pub(super) fn append(&self, place: Place, operation: Operation) -> Reply<()> {
        self.ask(|reply| Job::Append(place, Box::new(operation), reply))
    }

    pub(super) fn erase(&self, user: String, until: u64) -> Reply<()> {
        self.ask(|reply| Job::Erase(user, until, reply))
    }

    pub(super) fn erased(&self, user: String) -> Reply<()> {
        self.ask(|reply| Job::Erased(user, reply))
    }

    pub(super) fn read(&self, user: String, campaign: Option<String>) -> Reply<OfUser> {
        self.ask(|reply| Job::Read(user, campaign, reply))
    }

    pub(super) fn load(&self, behind: Option<Place>, many: usize) -> Reply<Loaded> {
        self.ask(|reply| Job::Load(behind, many, reply))
    }

    /// Lets go of the file, once everything before is on the disk.
    pub(super) fn close(&self) -> Reply<()> {
        self.ask(Job::Close)
    }

    fn ask<R>(&self, job: impl FnOnce(oneshot::Sender<Result<R, StorageError>>) -> Job) -> Reply<R> {
        let (reply, answer) = oneshot::channel();
        // A thread that is gone takes the reply with it, which is noticed by whoever waits.
        self.jobs.send(job(reply)).ok();
        answer
    }
}

/// Erases a user in a journal that nobody has open: their operations go, and a tombstone stays until then. How many
/// places they had.
///
/// # Errors
/// When the file is no journal, which it is left as, is open elsewhere, or cannot be read or written.
pub(super) fn erase_in(path: &Path, user: &str, until: u64) -> Result<u64, StorageError> {
    let file = path.display().to_string();
    let looked = guarded(&file, || {
        let mut builder = Database::builder();
        let database = builder.set_cache_size(CACHE_BYTES).create_with_backend(Overlay::open(path)?)?;
        let tables: Vec<String> = database.begin_read()?.list_tables()?.map(|table| table.name().to_owned()).collect();
        let_go(database);
        Ok([CLAIMS.name(), ERASED.name()].iter().all(|name| tables.iter().any(|table| table == name)))
    });
    // What cannot be read at all may be anything, an empty file too.
    let is_journal = std::fs::metadata(path).is_ok_and(|found| found.len() > 0)
        && looked.or_else(|error| if error.kind() == StorageErrorKind::Corrupt { Ok(false) } else { Err(error) })?;
    if !is_journal {
        let message = format!("`{file}` is no journal of `write_behind`, or is damaged: check the path");
        return Err(StorageError::new(StorageErrorKind::Denied, message));
    }
    let mut disk = Disk { path: path.to_owned(), database: None, next_try: Instant::now() };
    disk.run(|database| {
        let transaction = database.begin_write()?;
        let places = {
            let mut claims = transaction.open_table(CLAIMS)?;
            erase(&mut claims, &mut transaction.open_table(ERASED)?, user, until)?
        };
        transaction.commit()?;
        Ok(places)
    })
}

/// The file, open or to be opened anew: after an error redb does nothing more with it.
struct Disk {
    path: PathBuf,
    database: Option<Database>,
    next_try: Instant,
}

impl Disk {
    fn run<R>(&mut self, work: impl FnOnce(&Database) -> Result<R, redb::Error>) -> Result<R, StorageError> {
        let file = self.path.display().to_string();
        if self.database.is_none() {
            let now = Instant::now();
            if now < self.next_try {
                let message = format!("the journal `{file}` could not be written a moment ago: it is tried again");
                return Err(StorageError::new(StorageErrorKind::Unavailable, message));
            }
            self.next_try = now + BETWEEN_TRIES;
            let open = || Database::builder().set_cache_size(CACHE_BYTES).create(&self.path).map_err(Into::into);
            self.database = Some(guarded(&file, open)?);
        }
        let Some(database) = &self.database else {
            return Err(StorageError::new(StorageErrorKind::Unavailable, format!("the journal `{file}` is closed")));
        };
        let result = guarded(&file, || work(database));
        if result.is_err() {
            // What is on the disk is what counts, and opening anew takes it from there.
            let broken = self.database.take();
            let _ = catch_unwind(AssertUnwindSafe(|| drop(broken)));
        }
        result
    }
}

/// Runs something inside redb, which panics on a file that it finds inconsistent.
fn guarded<R>(file: &str, work: impl FnOnce() -> Result<R, redb::Error>) -> Result<R, StorageError> {
    use std::io::ErrorKind as Io;
    let damaged = || {
        let message = format!("the journal `{file}` is damaged: move it away to begin anew; what waited in it is lost");
        StorageError::new(StorageErrorKind::Corrupt, message)
    };
    match catch_unwind(AssertUnwindSafe(work)) {
        Err(_) => Err(damaged()),
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(match error {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
                let message = format!("the journal `{file}` is open already, and only one may have it: name another");
                StorageError::new(StorageErrorKind::InUse, message)
            }
            redb::Error::Corrupted(_) | redb::Error::RepairAborted | redb::Error::LockPoisoned(_) => {
                damaged().with_source(error)
            }
            redb::Error::TableTypeMismatch { .. } => {
                let message = format!("`{file}` is a database of another program: name another file");
                StorageError::new(StorageErrorKind::Corrupt, message)
            }
            redb::Error::Io(error) => {
                let kind = match error.kind() {
                    Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => StorageErrorKind::Full,
                    Io::PermissionDenied | Io::ReadOnlyFilesystem | Io::NotFound | Io::IsADirectory => {
                        StorageErrorKind::Denied
                    }
                    Io::InvalidData => StorageErrorKind::Corrupt,
                    _ => StorageErrorKind::Unavailable,
                };
                let message = format!("the journal `{file}` cannot be read or written ({error}): check path and disk");
                StorageError::new(kind, message).with_source(error)
            }
            error => {
                let message = format!("the journal `{file}` cannot be written: see the cause");
                StorageError::new(StorageErrorKind::Unavailable, message).with_source(error)
            }
        }),
    }
}

/// Does jobs, as many as there are in one transaction, until nobody can bring any more.
fn run(mut disk: Disk, jobs: &Receiver<Job>, places: &AtomicU64) {
    while let Ok(first) = jobs.recv() {
        let group: Vec<Job> = std::iter::once(first).chain(jobs.try_iter().take(TOGETHER - 1)).collect();
        let closes = group.iter().any(|job| matches!(job, Job::Close(_)));
        let done = disk.run(|database| {
            let transaction = database.begin_write()?;
            let mut has_changed = false;
            let mut answers = Vec::with_capacity(group.len());
            let count = {
                let mut claims = transaction.open_table(CLAIMS)?;
                let mut erased = transaction.open_table(ERASED)?;
                for job in &group {
                    answers.push(perform(job, &mut claims, &mut erased, &mut has_changed)?);
                }
                claims.len()?
            };
            if has_changed {
                transaction.commit()?
            } else {
                transaction.abort()?
            }
            Ok((answers, count))
        });
        if closes {
            // Before anybody hears of it: they may open it anew.
            let database = disk.database.take();
            let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
        }
        match done {
            Ok((answers, count)) => {
                places.store(count, Ordering::Relaxed);
                group.into_iter().zip(answers).for_each(|(job, answer)| job.answer(answer));
            }
            Err(error) => group.into_iter().for_each(|job| job.fail(&error)),
        }
        if closes {
            return;
        }
    }
}

impl Job {
    /// Tells whoever waits, who may be gone.
    fn answer(self, answer: Answer) {
        match (self, answer) {
            (
                Job::Put(_, _, reply)
                | Job::Append(_, _, reply)
                | Job::Erase(_, _, reply)
                | Job::Erased(_, reply)
                | Job::Close(reply),
                Answer::Done(done),
            ) => {
                reply.send(done).ok();
            }
            (Job::Read(_, _, reply), Answer::Read(found)) => {
                reply.send(found).ok();
            }
            (Job::Load(_, _, reply), Answer::Loaded(loaded)) => {
                reply.send(Ok(loaded)).ok();
            }
            // No job has the answer of another.
            _ => {}
        }
    }

    fn fail(self, error: &StorageError) {
        match self {
            Job::Put(_, _, reply)
            | Job::Append(_, _, reply)
            | Job::Erase(_, _, reply)
            | Job::Erased(_, reply)
            | Job::Close(reply) => {
                reply.send(Err(error.again())).ok();
            }
            Job::Read(_, _, reply) => {
                reply.send(Err(error.again())).ok();
            }
            Job::Load(_, _, reply) => {
                reply.send(Err(error.again())).ok();
            }
        }
    }
}

type Claims<'t> = Table<'t, (&'static str, &'static str), &'static [u8]>;

fn perform(
    job: &Job,
    claims: &mut Claims<'_>,
    erased: &mut Table<'_, &'static str, u64>,
    has_changed: &mut bool,
) -> Result<Answer, redb::Error> {
    *has_changed |= !matches!(job, Job::Read(..) | Job::Load(..) | Job::Close(_));
    Ok(match job {
        Job::Put(place, operations, _) => Answer::Done(put(claims, place, operations)?),
        Job::Append(place, operation, _) => {
            let stored = claims.get(key(place))?.map(|value| decode(place, value.value()));
            Answer::Done(match stored.unwrap_or_else(|| Some(Vec::new())) {
                None => Err(unreadable()),
                Some(mut operations) => {
                    match operations.last().and_then(|last| as_one(last, operation)) {
                        Some(one) => operations.splice(operations.len() - 1.., [one]).for_each(drop),
                        None => operations.push((**operation).clone()),
                    }
                    put(claims, place, &operations)?
                }
            })
        }
        Job::Erase(user, until, _) => {
            erase(claims, erased, user, *until)?;
            Answer::Done(Ok(()))
        }
        Job::Erased(user, _) => {
            erased.remove(user.as_str())?;
            Answer::Done(Ok(()))
        }
        Job::Read(user, campaign, _) => {
            let found = match campaign {
                Some(campaign) => {
                    let place = Place { user: user.clone(), campaign: campaign.clone() };
                    let value = claims.get(key(&place))?.map(|value| decode(&place, value.value()));
                    value.into_iter().map(|operations| (campaign.clone(), operations)).collect()
                }
                None => of_user(claims, user)?,
            };
            let readable = |(campaign, operations): (String, Option<_>)| Some((campaign, operations?));
            Answer::Read(found.into_iter().map(readable).collect::<Option<_>>().ok_or_else(unreadable))
        }
        Job::Close(_) => Answer::Done(Ok(())),
        Job::Load(behind, many, _) => Answer::Loaded(load(claims, behind.as_ref(), *many)?),
    })
}

/// How many places they had.
fn erase(
    claims: &mut Claims<'_>,
    erased: &mut Table<'_, &'static str, u64>,
    user: &str,
    until: u64,
) -> Result<u64, redb::Error> {
    let campaigns = of_user(claims, user)?;
    for (campaign, _) in &campaigns {
        claims.remove((user, campaign.as_str()))?;
    }
    erased.insert(user, until)?;
    Ok(campaigns.len() as u64)
}

fn key(place: &Place) -> (&str, &str) {
    (&place.user, &place.campaign)
}

fn put(
    claims: &mut Claims<'_>,
    place: &Place,
    operations: &[Operation],
) -> Result<Result<(), StorageError>, redb::Error> {
    if operations.is_empty() {
        claims.remove(key(place))?;
        return Ok(Ok(()));
    }
    let value = encode(place, operations);
    // Metadata may be nested more deeply than can be read again.
    let has_data = operations.iter().any(|operation| operation.record().meta_data.is_some());
    if has_data && decode(place, &value).is_none() {
        let message = "the metadata of a record is nested too deeply for the journal: nest it less than 100 levels";
        return Ok(Err(StorageError::new(StorageErrorKind::Other, message)));
    }
    claims.insert(key(place), value.as_slice())?;
    Ok(Ok(()))
}

fn of_user(claims: &Claims<'_>, user: &str) -> Result<Readable, redb::Error> {
    let mut found = Vec::new();
    for entry in claims.range((user, "")..)? {
        let (at, value) = entry?;
        let (owner, campaign) = at.value();
        if owner != user {
            break;
        }
        let place = Place { user: user.to_owned(), campaign: campaign.to_owned() };
        let operations = decode(&place, value.value());
        found.push((place.campaign, operations));
    }
    Ok(found)
}

fn load(claims: &Claims<'_>, behind: Option<&Place>, many: usize) -> Result<Loaded, redb::Error> {
    let start = behind.map_or(Bound::Unbounded, |place| Bound::Excluded(key(place)));
    let mut loaded = Loaded { places: Vec::new(), next: None, unreadable: Vec::new() };
    let mut operations_found = 0;
    for entry in claims.range::<(&str, &str)>((start, Bound::Unbounded))? {
        let (at, value) = entry?;
        let (user, campaign) = at.value();
        let place = Place { user: user.to_owned(), campaign: campaign.to_owned() };
        loaded.next = Some(place.clone());
        match decode(&place, value.value()) {
            Some(operations) => {
                operations_found += operations.len();
                loaded.places.push((place, operations));
            }
            None => loaded.unreadable.push(place),
        }
        // A place comes as a whole, and what is already in memory as well: both end the part.
        if operations_found >= many.max(1) {
            break;
        }
    }
    Ok(loaded)
}

fn unreadable() -> StorageError {
    let message = "what waits for a user in the journal is damaged: erase the user, or move the journal away";
    StorageError::new(StorageErrorKind::Corrupt, message)
}

fn encode(place: &Place, operations: &[Operation]) -> Vec<u8> {
    let operations: Vec<Value> = operations.iter().map(to_json).collect();
    let mut value = vec![VERSION];
    value.extend_from_slice(Value::from(operations).to_string().as_bytes());
    let checksum = checksum(place, &value);
    value.extend_from_slice(&checksum);
    value
}

fn decode(place: &Place, value: &[u8]) -> Option<Vec<Operation>> {
    let (value, stored) = value.split_last_chunk::<CHECKSUM>()?;
    if checksum(place, value) != *stored {
        return None;
    }
    let ([VERSION], text) = value.split_first_chunk::<1>()? else { return None };
    let operations: Vec<Value> = serde_json::from_slice(text).ok()?;
    operations.into_iter().map(|operation| from_json(place, operation)).collect()
}

fn checksum(place: &Place, value: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(place.user.len() as u64).to_le_bytes());
    hasher.update(place.user.as_bytes());
    hasher.update(place.campaign.as_bytes());
    hasher.update(value);
    hasher.finalize().to_le_bytes()
}

/// Everything of an operation that its place does not say. Metadata is in a list: it may be `null`, and then it is there.
fn to_json(operation: &Operation) -> Value {
    let record = operation.record();
    let data: Vec<&Value> = record.meta_data.iter().collect();
    let mut written = json!({
        "user": record.user_id, "campaign": record.campaign_key, "variation": record.variation_name,
        "goals": record.goals.as_str(), "activated": record.activated, "metaData": data,
    });
    if let Operation::Merge(claim) = operation {
        written["goal"] = claim.goal.clone().into();
        written["condition"] = match &claim.condition {
            Condition::Absent => "absent".into(),
            Condition::Stored => "stored".into(),
            Condition::Unknown => "unknown".into(),
            Condition::Replaces(gone) => json!([gone]),
        };
    }
    written
}

fn from_json(place: &Place, mut written: Value) -> Option<Operation> {
    let text = |key: &str| written.get(key)?.as_str().map(str::to_owned);
    let (user_id, campaign_key) = (text("user")?, text("campaign")?);
    if (&user_id, &campaign_key) != (&place.user, &place.campaign) {
        return None;
    }
    let goals = GoalList::from_text(text("goals")?);
    let (variation_name, goal) = (text("variation")?, text("goal"));
    let activated = written.get("activated")?.as_bool()?;
    let condition = match written.get("condition") {
        None => None,
        Some(Value::Array(gone)) => Some(Condition::Replaces(gone.first()?.as_str()?.to_owned())),
        Some(condition) => Some(match condition.as_str()? {
            "absent" => Condition::Absent,
            "stored" => Condition::Stored,
            "unknown" => Condition::Unknown,
            _ => return None,
        }),
    };
    let meta_data = written.get_mut("metaData")?.as_array_mut()?.pop();
    let record = Record { user_id, campaign_key, variation_name, goals, activated, meta_data };
    Some(match condition {
        None => Operation::Set(record),
        Some(condition) => Operation::Merge(Claim { record, goal, condition, was_read: false }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations() -> Vec<Operation> {
        let mut record = Record::new("u\0", "", "Grün");
        record.goals.push("buy");
        record.activated = false;
        record.meta_data = Some(json!({"order": u64::MAX, "sum": 0.1 + 0.2, "nothing": null}));
        let conditions =
            [Condition::Absent, Condition::Stored, Condition::Unknown, Condition::Replaces("Old".to_owned())];
        let claims = conditions.into_iter().zip([Some("buy".to_owned()), None, Some(String::new()), None]).map(
            |(condition, goal)| Operation::Merge(Claim { record: record.clone(), goal, condition, was_read: false }),
        );
        let null = Record { meta_data: Some(Value::Null), ..record.clone() };
        claims.chain([Operation::Set(record.clone()), Operation::Set(null)]).collect()
    }

    fn place() -> Place {
        Place { user: "u\0".into(), campaign: String::new() }
    }

    fn wait<R>(reply: Reply<R>) -> Result<R, StorageError> {
        reply.blocking_recv().expect("the journal answers")
    }

    #[test]
    fn operations_are_read_back() {
        assert_eq!(decode(&place(), &encode(&place(), &operations())), Some(operations()));
    }

    #[test]
    fn no_flipped_bit_is_read_as_an_operation() {
        let mut value = encode(&place(), &operations()[..2]);
        for bit in 0..value.len() * 8 {
            value[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&place(), &value), None, "bit {bit}");
            value[bit / 8] ^= 1 << (bit % 8);
        }
        let other = Place { user: "u".into(), ..place() };
        assert_eq!(decode(&other, &value), None);
    }

    #[test]
    fn what_was_answered_is_there_when_it_is_opened_again() {
        let folder = std::env::temp_dir().join(format!("steadfast-journal-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("journal");
        let (journal, found) = Journal::open(file.clone()).expect("a new journal");
        assert!(!found.has_claims && found.erased.is_empty());
        let gone = Place { user: "gone".into(), campaign: "c".into() };
        let set = |place: &Place| Operation::Set(Record::new(&place.user, &place.campaign, "A"));
        wait(journal.put(place(), operations())).expect("kept");
        wait(journal.append(place(), set(&place()))).expect("kept");
        wait(journal.put(gone.clone(), vec![set(&gone)])).expect("kept");
        wait(journal.erase("gone".into(), 7)).expect("erased");
        assert_eq!(Journal::open(file.clone()).expect_err("one at a time").kind(), StorageErrorKind::InUse);
        wait(journal.close()).expect("closed");
        let (journal, found) = Journal::open(file).expect("it can be opened again");
        assert!(found.has_claims);
        assert_eq!(found.erased, [("gone".to_owned(), 7)]);
        let loaded = wait(journal.load(None, 10)).expect("readable");
        // What was set last makes nothing of the rest.
        assert_eq!(loaded.places.len(), 1);
        assert_eq!(loaded.places[0].1.last(), Some(&set(&place())));
        assert!(wait(journal.read("gone".into(), None)).expect("readable").is_empty());
        drop(journal);
        std::fs::remove_dir_all(folder).ok();
    }

    #[test]
    fn a_place_that_is_damaged_is_an_error_and_no_others_loss() {
        let file = std::env::temp_dir().join(format!("steadfast-journal-{}-damaged", std::process::id()));
        let (journal, _) = Journal::open(file.clone()).expect("a new journal");
        let set = |user: &str| {
            let place = Place { user: user.into(), campaign: "c".into() };
            wait(journal.put(place, vec![Operation::Set(Record::new(user, "c", "A"))])).expect("kept");
        };
        ["a", "b", "c"].into_iter().for_each(set);
        wait(journal.close()).expect("closed");
        flip(&file, "b");
        let (journal, _) = Journal::open(file.clone()).expect("it can be opened again");
        let loaded = wait(journal.load(None, 10)).expect("readable");
        let users: Vec<&str> = loaded.places.iter().map(|(place, _)| &*place.user).collect();
        assert_eq!(users, ["a", "c"]);
        assert_eq!(loaded.unreadable, [Place { user: "b".into(), campaign: "c".into() }]);
        assert_eq!(wait(journal.read("b".into(), None)).expect_err("damaged").kind(), StorageErrorKind::Corrupt);
        let operation = Operation::Set(Record::new("b", "c", "B"));
        let place = Place { user: "b".into(), campaign: "c".into() };
        assert_eq!(wait(journal.append(place, operation)).expect_err("damaged").kind(), StorageErrorKind::Corrupt);
        wait(journal.erase("b".into(), 7)).expect("erased");
        assert!(wait(journal.load(None, 10)).expect("readable").unreadable.is_empty());
        wait(journal.close()).expect("closed");
        std::fs::remove_file(file).ok();
    }

    /// Damages what waits for a user.
    fn flip(file: &Path, user: &str) {
        let database = Database::open(file).expect("closed");
        let transaction = database.begin_write().expect("writable");
        {
            let mut claims = transaction.open_table(CLAIMS).expect("the table");
            let mut value = claims.get((user, "c")).expect("readable").expect("there").value().to_vec();
            value[5] ^= 1;
            claims.insert((user, "c"), value.as_slice()).expect("writable");
        }
        transaction.commit().expect("writable");
    }
}
