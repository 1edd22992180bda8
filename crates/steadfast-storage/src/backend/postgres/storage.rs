//! The storage: each call takes a connection, and says what came of it.

use std::collections::HashMap;
use std::fmt;

use steadfast_engine::{Answer, Record};
use tokio_postgres::Row;

use super::claims::{Columns, Wanted, given, merge_apart};
use super::failure::is_of_its_own;
use super::lease::Lease;
use super::open::{self, Opened};
use super::options::PostgresOptions;
use super::row::{self, Flaw, Place, Written};
use super::statements::Statements;
use super::text;
use super::url::Target;
use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{Claim, Merged};
use crate::page::{Cursor, Page};
use crate::several::{each, failed};
use crate::user_storage::{AsyncUserStorage, Writes};

/// No page of a scan has more records, however many are wanted: one is read within the deadline.
const LARGEST_PAGE: usize = 5_000;

/// A storage on a PostgreSQL server. The [module](super) states the table and what it promises.
///
/// A call fails with [`StorageErrorKind::TimedOut`] when no connection is free or no answer there within the deadlines of
/// [`PostgresOptions`]; with [`StorageErrorKind::Unavailable`] while the server cannot be reached or has no connection
/// left; with [`StorageErrorKind::Full`] while its disk is full; with [`StorageErrorKind::Denied`] when the server accepts
/// the user or the certificate no longer, or takes no writes, as a replica does; with [`StorageErrorKind::Corrupt`] for a
/// record that somebody else has changed into what is none, or when the table is gone; and with
/// [`StorageErrorKind::Other`] for anything else the server says, and for a record that is larger or deeper than can be
/// kept. Of a failed write nobody knows whether it was done; doing it again is harmless.
///
/// It goes on by itself once the server does: a connection that is closed is opened anew. It needs a tokio runtime with
/// I/O and time around it, and its connections live in the runtime that they were first used in.
///
/// ```no_run
/// use steadfast_engine::Record;
/// use steadfast_storage::{AsyncUserStorage, PostgresOptions, PostgresStorage};
///
/// # async fn example() -> Result<(), steadfast_storage::StorageError> {
/// let url = "postgres://ada:secret@db.example/app?sslmode=verify-full";
/// let storage = PostgresStorage::open(url, PostgresOptions::default()).await?;
/// storage.set(Record::new("Ashley", "checkout", "Green")).await?;
/// let record = storage.get("Ashley", "checkout").await?;
/// assert_eq!(record.map(|record| record.variation_name).as_deref(), Some("Green"));
/// # Ok(())
/// # }
/// ```
pub struct PostgresStorage {
    opened: Opened,
    options: PostgresOptions,
    statements: Statements,
}

impl PostgresStorage {
    /// Opens a storage. The table is made if it is not there, and brought to this version if it is of an older one; its
    /// database and schema must be there.
    ///
    /// The URL is libpq's: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with `sslmode` (`disable`, `prefer`, which is the
    /// default, `require`, `verify-ca`, `verify-full`), `sslrootcert` (a file of PEM certificates; by default the system's
    /// authorities), `target_session_attrs`, `options`, `application_name` and the like. Several hosts are separated by
    /// commas.
    ///
    /// # Errors
    /// [`StorageErrorKind::Denied`] when the URL is none or has an option that is not known, when the server does not
    /// accept the user or has no such database or schema, when it has no TLS and the URL demands it, or a certificate that
    /// is not accepted, when it takes no writes, when the table may not be made, or is of another program, or the
    /// database's encoding is not UTF-8; [`StorageErrorKind::NewerFormat`] when the table is of a newer version;
    /// [`StorageErrorKind::Unavailable`] when the server cannot be reached; [`StorageErrorKind::TimedOut`] when it does not
    /// answer within the deadlines; [`StorageErrorKind::Full`] when it has no room for the table. Nothing is written to a
    /// table that is refused.
    pub async fn open(url: &str, options: PostgresOptions) -> Result<PostgresStorage, StorageError> {
        let opened = open::open(url, &options).await?;
        let statements = Statements::new(&opened.table);
        Ok(PostgresStorage { opened, options, statements })
    }

    /// Where it is, for people: without user and password.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.opened.shown.server
    }

    /// Where the storage of a URL is, for people, without going there.
    ///
    /// # Errors
    /// [`StorageErrorKind::Denied`] when it is no URL of one, or has an option that is not known.
    pub fn place_of(url: &str) -> Result<String, StorageError> {
        Ok(Target::parse(url, &PostgresOptions::default())?.shown)
    }

    async fn lease(&self) -> Result<Lease<'_>, StorageError> {
        Lease::new(&self.opened, &self.options).await
    }

    fn record(&self, row: &Row) -> Result<Record, StorageError> {
        row::record(row).map_err(|_| self.opened.shown.flawed())
    }

    fn records(&self, rows: &[Row]) -> Result<Vec<Record>, StorageError> {
        rows.iter().map(|row| self.record(row)).collect()
    }

    /// Sets rows, no two of which are for one place.
    async fn set_apart(&self, lease: &mut Lease<'_>, rows: &[&Written<'_>]) -> Result<(), StorageError> {
        let done = match rows {
            [one] => lease.execute(&self.statements.set, &given(one)).await,
            many => lease.execute(&self.statements.set_many, &Columns::of(many.iter().copied()).given()).await,
        };
        done.map(drop)
    }

    /// The same, each by itself where something in one of them may have spoiled it for all.
    async fn set_each(&self, lease: &mut Lease<'_>, rows: &[&Written<'_>]) -> Vec<Result<(), StorageError>> {
        match self.set_apart(lease, rows).await {
            Ok(()) => rows.iter().map(|_| Ok(())).collect(),
            Err(error) if rows.len() == 1 || !is_of_its_own(&error) => each(&error, rows.len()),
            Err(_) => {
                let mut results = Vec::with_capacity(rows.len());
                for row in rows {
                    results.push(self.set_apart(lease, &[row]).await);
                }
                results
            }
        }
    }

    /// Merges claims, no two of which are for one place; each by itself where something in one of them may have spoiled it
    /// for all.
    async fn merge_each(&self, lease: &mut Lease<'_>, wanted: &[&Wanted<'_>]) -> Vec<Result<Merged, StorageError>> {
        let mut results = merge_apart(lease, &self.statements, wanted).await;
        if wanted.len() > 1 {
            for (wanted, result) in wanted.iter().zip(&mut results) {
                if result.as_ref().is_err_and(is_of_its_own) {
                    let alone = merge_apart(lease, &self.statements, &[wanted]).await;
                    alone.into_iter().for_each(|alone| *result = alone);
                }
            }
        }
        results
    }
}

impl AsyncUserStorage for PostgresStorage {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let place = Place::new(user, campaign);
        let rows = self.lease().await?.query(&self.statements.get, &[&place.key().0, &place.key().1]).await?;
        rows.first().map(|row| self.record(row)).transpose()
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        let written = Written::new(&record)?;
        self.set_apart(&mut self.lease().await?, &[&written]).await
    }

    /// In one statement: all answers are of one moment.
    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        if campaigns.is_empty() {
            return Vec::new();
        }
        let user = text::key(user);
        let keys: Vec<_> = campaigns.iter().map(|campaign| text::key(campaign)).collect();
        let shorts: Vec<&str> = keys.iter().map(|key| &*key.short).collect();
        let found = async { self.lease().await?.query(&self.statements.get_many, &[&&*user.short, &shorts]).await };
        let rows = match found.await {
            Ok(rows) => rows,
            Err(error) => return failed(error, campaigns.len()),
        };
        let by_key = |row| Some((row::get::<&str>(row, 1).ok()?, row));
        let by_key: HashMap<&str, &Row> = rows.iter().filter_map(by_key).collect();
        let answer = |short: &&str| match by_key.get(short).map(|row| self.record(row)) {
            None => Answer::Absent,
            Some(Ok(record)) => Some(record).into(),
            Some(Err(error)) => Answer::Failed(error.into()),
        };
        shorts.iter().map(answer).collect()
    }

    /// Each statement keeps all of its records or none. A record that cannot be kept keeps no other one from it.
    async fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        if records.is_empty() {
            return Vec::new();
        }
        let rows: Vec<_> = records.iter().map(Written::new).collect();
        let places = rows.iter().map(|row| row.as_ref().ok().map(|row| row.place.key()));
        let mut results: Vec<Option<Result<(), StorageError>>> = rows.iter().map(|_| None).collect();
        // One for all of them: the deadline is the call's.
        let mut lease = match self.lease().await {
            Ok(lease) => lease,
            Err(error) => return each(&error, rows.len()),
        };
        let mut gone = None;
        for group in groups(places, self.options.batch) {
            let together: Vec<_> = group.iter().filter_map(|number| rows[*number].as_ref().ok()).collect();
            let done = match &gone {
                Some(error) => each(error, together.len()),
                None => self.set_each(&mut lease, &together).await,
            };
            gone = gone.or_else(|| all_failed(&done));
            group.into_iter().zip(done).for_each(|(number, done)| results[number] = Some(done));
        }
        rows.into_iter().zip(results).map(|(row, result)| row.and_then(|_| result.unwrap_or(Ok(())))).collect()
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        let wanted = Wanted { written: Written::new(&claim.record)?, claim: &claim };
        let mut merged = merge_apart(&mut self.lease().await?, &self.statements, &[&wanted]).await;
        merged.pop().unwrap_or_else(|| Err(self.opened.shown.flawed()))
    }

    /// Claims for one place are merged by statements one after the other, in their order; those for many places together.
    /// A claim that cannot be kept keeps no other one from it.
    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        if claims.is_empty() {
            return Vec::new();
        }
        let wanted: Vec<_> =
            claims.iter().map(|claim| Written::new(&claim.record).map(|written| Wanted { claim, written })).collect();
        let places = wanted.iter().map(|wanted| wanted.as_ref().ok().map(|wanted| wanted.written.place.key()));
        let mut results: Vec<Option<Result<Merged, StorageError>>> = wanted.iter().map(|_| None).collect();
        // One for all of them: the deadline is the call's.
        let mut lease = match self.lease().await {
            Ok(lease) => lease,
            Err(error) => return each(&error, wanted.len()),
        };
        let mut gone = None;
        for group in groups(places, self.options.batch) {
            let together: Vec<_> = group.iter().filter_map(|number| wanted[*number].as_ref().ok()).collect();
            let done = match &gone {
                Some(error) => each(error, together.len()),
                None => self.merge_each(&mut lease, &together).await,
            };
            gone = gone.or_else(|| all_failed(&done));
            group.into_iter().zip(done).for_each(|(number, done)| results[number] = Some(done));
        }
        let missing = || Err(self.opened.shown.flawed());
        wanted
            .into_iter()
            .zip(results)
            .map(|(wanted, result)| wanted.and_then(|_| result.unwrap_or_else(missing)))
            .collect()
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        let user = text::key(user);
        let rows = self.lease().await?.query(&self.statements.records_of, &[&&*user.short]).await?;
        let mut records = self.records(&rows)?;
        records.sort_by(|one, other| one.campaign_key.cmp(&other.campaign_key));
        Ok(records)
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        let user = text::key(user);
        self.lease().await?.execute(&self.statements.erase, &[&&*user.short]).await
    }

    /// In the order of user id and campaign key, by their UTF-8 bytes; of two that are longer than 1,000 bytes and begin
    /// with the same 900, in that of their digests. A page has `about` records (at least one, at most 5,000) until the
    /// last, and is of one moment.
    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        let size = about.clamp(1, LARGEST_PAGE);
        let limit = i64::try_from(size).unwrap_or(i64::MAX);
        let rows = match from {
            None => self.lease().await?.query(&self.statements.scan_first, &[&limit]).await?,
            Some(from) => {
                let wrong = || StorageError::new(StorageErrorKind::Other, "this is no cursor of a PostgreSQL storage");
                let (user, campaign) = split(from.as_bytes()).ok_or_else(wrong)?;
                self.lease().await?.query(&self.statements.scan_next, &[&limit, &user, &campaign]).await?
            }
        };
        let last = rows.last().filter(|_| rows.len() == size);
        let place = |row| Some(joined(row::get(row, 0).ok()?, row::get(row, 1).ok()?));
        let mut page = Page { next: last.and_then(place).map(Cursor::new), ..Page::default() };
        for row in &rows {
            match row::record(row) {
                Ok(record) => page.records.push(record),
                Err(Flaw) => page.damaged.push(row::user(row)),
            }
        }
        Ok(page)
    }

    fn writes(&self) -> Writes {
        self.options.writes()
    }
}

impl fmt::Debug for PostgresStorage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.opened.shown;
        let mut debug = formatter.debug_struct("PostgresStorage");
        debug.field("server", &shown.server).field("table", &shown.table).finish_non_exhaustive()
    }
}

/// What can be written together: no place twice, in the order of places, at most so many. Of those for one place the
/// earlier ones come in an earlier group.
fn groups<'p>(places: impl Iterator<Item = Option<(&'p str, &'p str)>>, most: usize) -> Vec<Vec<usize>> {
    let mut times: HashMap<(&str, &str), usize> = HashMap::new();
    let mut turns: Vec<Vec<((&str, &str), usize)>> = Vec::new();
    for (number, place) in places.enumerate() {
        let Some(place) = place else { continue };
        let turn = times.entry(place).or_default();
        if *turn == turns.len() {
            turns.push(Vec::new());
        }
        turns[*turn].push((place, number));
        *turn += 1;
    }
    let mut groups = Vec::new();
    for mut turn in turns {
        turn.sort_unstable();
        groups.extend(turn.chunks(most.max(1)).map(|some| some.iter().map(|(_, number)| *number).collect()));
    }
    groups
}

/// The failure of all of them, after which it is of no use to go on: the same would be waited for again.
fn all_failed<R>(results: &[Result<R, StorageError>]) -> Option<StorageError> {
    let of_server = |result: &Result<R, StorageError>| result.as_ref().is_err_and(|error| !is_of_its_own(error));
    let first = results.first()?.as_ref().err()?;
    results.iter().all(of_server).then(|| first.again())
}

/// A place as the bytes of a cursor. No text of a key holds a NUL.
fn joined(user: &str, campaign: &str) -> Vec<u8> {
    [user.as_bytes(), campaign.as_bytes()].join(&0)
}

fn split(bytes: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(bytes).ok()?.split_once('\0').filter(|(_, campaign)| !campaign.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_together_is_apart_and_in_order() {
        let (a, b, c) = (("u", "a"), ("u", "b"), ("v", "a"));
        let places = [Some(c), Some(a), None, Some(a), Some(b), Some(a), Some(c)];
        assert_eq!(groups(places.into_iter(), 2), [vec![1, 4], vec![0], vec![3, 6], vec![5]]);
        assert_eq!(groups([None, None].into_iter(), 2), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn a_cursor_is_a_place_and_nothing_else() {
        for place in [("", ""), ("u", "c"), ("Größe", "")] {
            assert_eq!(split(&joined(place.0, place.1)), Some(place));
        }
        for wrong in [&b"u"[..], b"", b"u\0c\0", b"\xff\0c"] {
            assert_eq!(split(wrong), None);
        }
    }
}
