//! The storage: the contract, in commands.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::cmd;
use steadfast_engine::{Answer, Record};

use super::command::{self, Before};
use super::failure::flawed;
use super::link::Link;
use super::options::{RedisOptions, Target};
use super::scan::{self, Scans};
use super::value::{Flaw, decode};
use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{Claim, Merged, merge};
use crate::page::{Cursor, Page};
use crate::several::{each, failed};
use crate::user_storage::{AsyncUserStorage, Writes};

/// So many claims go in one batch: the users of it side by side on one connection.
pub(super) const TOGETHER: usize = 256;

/// So many claims at least go in one script, if there are as many: others wait for a tenth of a millisecond meanwhile.
const IN_A_SCRIPT: usize = 64;

/// A storage in Redis or Valkey. Merging is atomic. It may be cloned; all of them share one connection,
/// and another one for writes that wait for replicas.
#[derive(Clone)]
pub struct RedisStorage {
    link: Arc<Link>,
    /// What writes are sent on: where they wait for replicas, look-ups do not wait behind them.
    writing: Arc<Link>,
    scans: Arc<Scans>,
}

impl RedisStorage {
    /// A storage at a URL, which is connected to by the first call:
    ///
    /// - `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, or `rediss://` for TLS;
    /// - `redis+cluster://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]...`, or `rediss+cluster://`: some of the nodes, which
    ///   name the others;
    /// - `redis+sentinel://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT].../MASTER[/DATABASE]`, or `rediss+sentinel://` where
    ///   the server is talked to under TLS: the Sentinels, and the name of what they watch.
    ///
    /// # Errors
    /// [`StorageErrorKind::Denied`] when it is no such URL.
    pub fn new(url: &str, options: RedisOptions) -> Result<RedisStorage, StorageError> {
        let target = Target::from_url(url)?;
        let link = Arc::new(Link::new(target.clone(), options.clone()));
        let writing = if options.replicas > 0 { Arc::new(Link::new(target, options)) } else { Arc::clone(&link) };
        Ok(RedisStorage { link, writing, scans: Arc::default() })
    }

    /// The same, and sees at once whether it can be used: see [`check`](Self::check). Needs a tokio runtime around it.
    ///
    /// # Errors
    /// As for [`new`](Self::new) and [`check`](Self::check).
    pub async fn open(url: &str, options: RedisOptions) -> Result<RedisStorage, StorageError> {
        let storage = RedisStorage::new(url, options)?;
        storage.check().await?;
        Ok(storage)
    }

    /// How it likes to be written to.
    pub const WRITES: Writes = Writes::Together(TOGETHER);

    /// Where it is, for people: without user and password.
    #[must_use]
    pub fn place(&self) -> String {
        self.link.place()
    }

    /// Whether the server can be reached, may be written to, and holds nothing of a newer version. An empty one is
    /// marked with the version of this one; nothing else is written.
    ///
    /// # Errors
    /// [`StorageErrorKind::Unavailable`] or [`StorageErrorKind::TimedOut`] when it cannot be reached;
    /// [`StorageErrorKind::Denied`] when it refuses the user, may only be read, or speaks TLS where the URL does not, or
    /// the other way round; [`StorageErrorKind::NewerFormat`] when a newer version has written to it. A server without
    /// memory left is none: it can be read.
    pub async fn check(&self) -> Result<(), StorageError> {
        let key = command::format_key(&self.link.options().prefix);
        if !self.link.options().existing {
            match self.link.run::<bool>(cmd("SETNX").arg(&key).arg(command::FORMAT)).await {
                // What is there can be read, and erased, which makes room.
                Err(error) if error.kind() == StorageErrorKind::Full => {}
                marked => drop(marked?),
            }
        }
        let found: Option<String> = self.link.run(cmd("GET").arg(&key)).await?;
        match found.as_deref().map(str::parse::<u64>) {
            // Somebody has erased it since, which means no other version.
            None | Some(Ok(0..=command::FORMAT)) => Ok(()),
            Some(Ok(newer)) => Err(StorageError::new(
                StorageErrorKind::NewerFormat,
                format!(
                    "{} has records of format {newer}, and this version reads {}: use a newer one",
                    self.link.place(),
                    command::FORMAT
                ),
            )),
            Some(Err(_)) => Err(StorageError::new(
                StorageErrorKind::Corrupt,
                format!("{} has something else under `{key}`: give this storage another prefix", self.link.place()),
            )),
        }
    }

    fn key(&self, user: &str) -> Vec<u8> {
        command::key(&self.link.options().prefix, user)
    }

    fn decoded(&self, user: &str, campaign: &str, value: &[u8]) -> Result<Record, StorageError> {
        decode(user, campaign, value).map_err(|flaw| flawed(&self.link.place(), flaw))
    }

    /// Merges claims of some users, those of each together and in their order. The users lie where one command reaches
    /// them.
    async fn merge_of<'c>(&self, claims: &[&'c Claim]) -> Vec<Result<Merged, StorageError>> {
        let (mut keys, mut of): (Vec<Vec<u8>>, Option<&str>) = (Vec::new(), None);
        let mut arguments = command::merge(self.link.options().retention);
        let mut put = |claim: &'c Claim| {
            let user = &*claim.record.user_id;
            let is_first = of != Some(user);
            arguments.extend(command::claim(claim, is_first)?);
            if is_first {
                keys.push(self.key(user));
                of = Some(user);
            }
            Ok(())
        };
        // One that cannot be kept does not keep the others from it.
        let refused: Vec<Option<StorageError>> = claims.iter().map(|claim| put(claim).err()).collect();
        let sent = refused.iter().filter(|error| error.is_none()).count();
        let before = if sent == 0 {
            Ok(Vec::new())
        } else {
            self.writing.run_script::<Vec<Before>>(&command::merge_call(&keys, &arguments)).await
        };
        let mut before = match before {
            Ok(before) if before.len() == sent => before.into_iter(),
            Ok(_) => {
                let error = StorageError::new(StorageErrorKind::Other, "Redis answered to fewer claims");
                return each(&error, claims.len());
            }
            Err(error) => return each(&error, claims.len()),
        };
        let merged = claims.iter().zip(refused).map(|(claim, refused)| {
            if let Some(error) = refused {
                return Err(error);
            }
            let Record { user_id, campaign_key, .. } = &claim.record;
            let stored = match before.next() {
                Some(Before::Value(value)) => Some(self.decoded(user_id, campaign_key, &value)?),
                Some(Before::Refused(error)) => return Err(self.link.error(error)),
                Some(Before::Nothing) | None => None,
            };
            Ok(merge(stored.as_ref(), claim))
        });
        merged.collect()
    }

    /// Merges one claim by itself.
    pub(super) async fn merge_one(&self, claim: &Claim) -> Result<Merged, StorageError> {
        let none = || Err(StorageError::new(StorageErrorKind::Other, "Redis gave no answer"));
        self.merge_of(&[claim]).await.pop().unwrap_or_else(none)
    }

    /// What writes are sent on.
    pub(super) fn writing(&self) -> &Link {
        &self.writing
    }

    /// As long as a call may take.
    pub(super) fn longest(&self) -> Duration {
        let RedisOptions { connect, answer, .. } = self.link.options();
        connect.saturating_add(*answer)
    }

    /// What a caller is told who has waited so long.
    pub(super) fn late(&self) -> StorageError {
        self.link.late()
    }

    /// All of a user's, in no order, and what is wrong with those that are no records.
    pub(super) async fn records_in(&self, user: &str) -> Result<Vec<Result<Record, StorageError>>, StorageError> {
        let fields: Vec<(Vec<u8>, Vec<u8>)> = self.link.run(&command::get_all(&self.key(user))).await?;
        let record = |(campaign, value): (Vec<u8>, Vec<u8>)| {
            let campaign = String::from_utf8(campaign).map_err(|_| flawed(&self.link.place(), Flaw::Corrupt))?;
            self.decoded(user, &campaign, &value)
        };
        Ok(fields.into_iter().map(record).collect())
    }
}

impl AsyncUserStorage for RedisStorage {
    async fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let mut command = cmd("HGET");
        command.arg(self.key(user)).arg(campaign);
        let value: Option<Vec<u8>> = self.link.run(&command).await?;
        value.map(|value| self.decoded(user, campaign, &value)).transpose()
    }

    async fn set(&self, record: Record) -> Result<(), StorageError> {
        let (key, arguments) = (self.key(&record.user_id), command::set(&record, self.link.options().retention)?);
        let call = command::set_call(&key, &arguments);
        self.writing.run_script(&call).await
    }

    async fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        if campaigns.is_empty() {
            return Vec::new();
        }
        let values: Result<Vec<Option<Vec<u8>>>, _> = self.link.run(&command::get(&self.key(user), campaigns)).await;
        let failure = |error: StorageError| Answer::Failed(error.into());
        match values {
            Err(error) => failed(error, campaigns.len()),
            Ok(values) => {
                let mut values = values.into_iter();
                let answer = |campaign: &&str| match values.next() {
                    None => failure(StorageError::new(StorageErrorKind::Other, "Redis answered about fewer campaigns")),
                    Some(None) => Answer::Absent,
                    Some(Some(value)) => match self.decoded(user, campaign, &value) {
                        Ok(record) => Answer::Found(Arc::new(record)),
                        Err(error) => failure(error),
                    },
                };
                campaigns.iter().map(answer).collect()
            }
        }
    }

    async fn set_many(&self, records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        // A place that comes twice holds the later, so the earlier one is not written: no order is kept between them.
        let of: Vec<usize> = {
            let places = || records.iter().map(|record| (&*record.user_id, &*record.campaign_key));
            let last: HashMap<(&str, &str), usize> = places().zip(0..).collect();
            places().map(|place| last[&place]).collect()
        };
        let set = join_all(records.into_iter().enumerate().map(|(number, record)| {
            let is_last = of[number] == number;
            async move { if is_last { Some(self.set(record).await) } else { None } }
        }))
        .await;
        let again = |number: usize| match &set[of[number]] {
            Some(Err(error)) => Err(error.again()),
            _ => Ok(()),
        };
        (0..set.len()).map(again).collect()
    }

    async fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        // In a Cluster they have little to share.
        if self.link.is_cluster() { self.merge_one(&claim).await } else { self.merge_gathered(claim).await }
    }

    async fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        // All of a user's in one script, which keeps their order, and more users with them where all lie on one server:
        // a script costs it more than what there is to do in one.
        let mut places: Vec<usize> = (0..claims.len()).collect();
        places.sort_by(|one, other| claims[*one].record.user_id.cmp(&claims[*other].record.user_id));
        let at_least = if self.link.is_cluster() { 1 } else { IN_A_SCRIPT };
        let scripts = of_whole_users(&places, at_least, |place| &claims[place].record.user_id);
        let merged = join_all(scripts.into_iter().map(|places| {
            let together: Vec<&Claim> = places.iter().map(|place| &claims[*place]).collect();
            async move { self.merge_of(&together).await }
        }))
        .await;
        let mut merged: Vec<_> = places.into_iter().zip(merged.into_iter().flatten()).collect();
        merged.sort_by_key(|(place, _)| *place);
        merged.into_iter().map(|(_, merged)| merged).collect()
    }

    async fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        let records: Result<Vec<Record>, StorageError> = self.records_in(user).await?.into_iter().collect();
        let mut records = records?;
        records.sort_by(|one, other| one.campaign_key.cmp(&other.campaign_key));
        Ok(records)
    }

    async fn erase(&self, user: &str) -> Result<u64, StorageError> {
        let key = self.key(user);
        let call = command::erase_call(&key);
        self.writing.run_script(&call).await
    }

    async fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        scan::page(self, &self.link, &self.scans, from, about.max(1)).await
    }

    fn writes(&self) -> Writes {
        RedisStorage::WRITES
    }
}

/// Places in parts of so many at least, if there are as many, with all of a user's in one. They are sorted by user.
fn of_whole_users<'p, 'u>(places: &'p [usize], at_least: usize, user: impl Fn(usize) -> &'u str) -> Vec<&'p [usize]> {
    let (mut parts, mut rest) = (Vec::new(), places);
    while !rest.is_empty() {
        let mut end = at_least.clamp(1, rest.len());
        while end < rest.len() && user(rest[end]) == user(rest[end - 1]) {
            end += 1;
        }
        let (part, left) = rest.split_at(end);
        parts.push(part);
        rest = left;
    }
    parts
}

impl fmt::Debug for RedisStorage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RedisStorage").field("place", &self.link.place()).finish_non_exhaustive()
    }
}
