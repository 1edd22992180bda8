//! A storage in memory that makes one mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use steadfast_engine::{Answer, GoalList, Record};
use steadfast_storage::merge::merge;
use steadfast_storage::{Claim, Condition, Cursor, Merged, Outcome, Page, StorageError, UserStorage};

/// What it does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    None,
    // Fields.
    FindsEverybody,
    TrimsVariation,
    ForgetsGoals,
    ForgetsActivated,
    ForgetsMetadata,
    FloatsInMetadata,
    SetsOnce,
    SetsWithoutClearing,
    // Places.
    KeysByCampaign,
    KeysByUser,
    KeysJoined(&'static str),
    CutsAtNul,
    PanicsOnNul,
    IgnoresCase,
    TrimsKeys,
    KeysInAscii,
    TruncatesKeys(usize),
    // Several at once.
    LooksUpNothing,
    GetsManySorted,
    GetsManyOnce,
    SetsManyReversed,
    SetsTheFirstOfMany,
    SetsWholeUser,
    SetsByHalves,
    // Merging.
    LastWriterWins,
    ClaimedToEverybody,
    TrustsWhoReadIt,
    ReplacesAnything,
    OverwritesUnknown,
    OverwritesGoals,
    AllGoalsAreNew,
    ListsGoalsAgain,
    ActivatesAnything,
    NewestMetadata,
    LosesTheFiftieth,
    MergesManyReversed,
    MergesManyOnOldState,
    MergesInTwoSteps,
    MergesManyInTwoSteps,
    // Everything.
    ListsUnsorted,
    ListsByPrefix,
    ErasesByPrefix,
    EraseLeavesOne,
    EraseCountsUsers,
    ScanSkips,
    ScanRepeats,
    ScanStartsOver,
    ScanCountsPlaces,
}

impl Mistake {
    /// Whether it breaks one promise only.
    pub(crate) fn is_of_one_thing(self) -> bool {
        use Mistake::*;
        matches!(
            self,
            TrimsVariation
                | SetsOnce
                | SetsWithoutClearing
                | KeysJoined(_)
                | CutsAtNul
                | IgnoresCase
                | TrimsKeys
                | TruncatesKeys(_)
                | GetsManySorted
                | GetsManyOnce
                | SetsManyReversed
                | SetsTheFirstOfMany
                | SetsWholeUser
                | SetsByHalves
                | MergesManyReversed
                | MergesManyInTwoSteps
                | ListsUnsorted
                | ErasesByPrefix
                | EraseLeavesOne
                | EraseCountsUsers
                | ScanCountsPlaces
        )
    }
}

type Records = BTreeMap<(String, String), Record>;

pub(crate) struct Wrong {
    mistake: Mistake,
    records: Mutex<Records>,
    merged: AtomicUsize,
}

/// As long as others need to get in between.
const A_MOMENT: Duration = Duration::from_millis(1);

impl Wrong {
    pub(crate) fn new(mistake: Mistake) -> Self {
        Wrong { mistake, records: Mutex::default(), merged: AtomicUsize::new(0) }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, user: &str, campaign: &str) -> (String, String) {
        let each = |form: &dyn Fn(&str) -> String| (form(user), form(campaign));
        match self.mistake {
            Mistake::KeysByCampaign => (String::new(), campaign.to_owned()),
            Mistake::KeysByUser => (user.to_owned(), String::new()),
            Mistake::KeysJoined(joint) => (format!("{user}{joint}{campaign}"), String::new()),
            Mistake::CutsAtNul => each(&|text| text.split('\0').next().unwrap_or_default().to_owned()),
            Mistake::PanicsOnNul => each(&|text| {
                assert!(!text.contains('\0'), "a NUL byte");
                text.to_owned()
            }),
            Mistake::IgnoresCase => each(&str::to_lowercase),
            Mistake::TrimsKeys => each(&|text| text.trim_end_matches(' ').to_owned()),
            Mistake::KeysInAscii => each(&|text| text.replace(|char: char| !char.is_ascii(), "?")),
            Mistake::TruncatesKeys(bytes) => {
                each(&|text| String::from_utf8_lossy(&text.as_bytes()[..text.len().min(bytes)]).into_owned())
            }
            _ => each(&str::to_owned),
        }
    }

    fn put(&self, records: &mut Records, record: Record) {
        records.insert(self.key(&record.user_id, &record.campaign_key), self.kept(record));
    }

    /// What is stored in the places of these claims.
    fn read(&self, claims: &[Claim]) -> Records {
        let records = self.records();
        let keys = claims.iter().map(|claim| self.key(&claim.record.user_id, &claim.record.campaign_key));
        keys.filter_map(|key| records.get(&key).cloned().map(|record| (key, record))).collect()
    }

    /// What is left of a record.
    fn kept(&self, record: Record) -> Record {
        match self.mistake {
            Mistake::TrimsVariation => Record { variation_name: record.variation_name.trim().to_owned(), ..record },
            Mistake::ForgetsGoals => Record { goals: GoalList::default(), ..record },
            Mistake::ForgetsActivated => Record { activated: true, ..record },
            Mistake::ForgetsMetadata => Record { meta_data: None, ..record },
            Mistake::FloatsInMetadata => Record { meta_data: record.meta_data.map(floats), ..record },
            _ => record,
        }
    }

    /// Merges into these records, with the mistake.
    fn merge_into(&self, records: &mut Records, claim: &Claim) -> Merged {
        let key = self.key(&claim.record.user_id, &claim.record.campaign_key);
        let merged = self.merged(records.get(&key), claim);
        if self.mistake != Mistake::LosesTheFiftieth || self.merged.fetch_add(1, Ordering::Relaxed) % 50 != 49 {
            records.insert(key, merged.record.clone());
        }
        merged
    }

    fn merged(&self, stored: Option<&Record>, claim: &Claim) -> Merged {
        let right = merge(stored, claim);
        let wanted = || Merged { record: claim.record.clone(), ..right.clone() };
        match (self.mistake, &claim.condition) {
            (Mistake::LastWriterWins, _) => wanted(),
            (Mistake::TrustsWhoReadIt, _) if claim.was_read => wanted(),
            (Mistake::OverwritesUnknown, Condition::Unknown) => wanted(),
            (Mistake::ClaimedToEverybody, _) => Merged { outcome: Outcome::Claimed, ..right },
            (Mistake::ReplacesAnything, Condition::Replaces(_)) if stored.is_some() => {
                let gone = stored.map(|stored| stored.variation_name.clone()).unwrap_or_default();
                merge(stored, &Claim { condition: Condition::Replaces(gone), ..claim.clone() })
            }
            (Mistake::OverwritesGoals, _) => {
                Merged { record: Record { goals: claim.record.goals.clone(), ..right.record }, ..right }
            }
            (Mistake::AllGoalsAreNew, _) => Merged { new_goals: claim.record.goals.clone(), ..right },
            (Mistake::ListsGoalsAgain, _) if right.outcome == Outcome::Kept && right.new_goals.is_empty() => {
                let mut record = right.record;
                if let Some(goal) = &claim.goal {
                    record.goals.push(goal);
                }
                Merged { record, ..right }
            }
            (Mistake::ActivatesAnything, _) => Merged { newly_activated: claim.record.activated, ..right },
            (Mistake::NewestMetadata, _) => {
                Merged { record: Record { meta_data: claim.record.meta_data.clone(), ..right.record }, ..right }
            }
            _ => right,
        }
    }

    /// Whether a record is among those of a user.
    fn is_of(&self, record: &Record, user: &str, by_prefix: Mistake) -> bool {
        record.user_id == user || (self.mistake == by_prefix && record.user_id.starts_with(user))
    }
}

/// Numbers as most other languages read them.
fn floats(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(items) => items.into_iter().map(floats).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (key, floats(value))).collect::<serde_json::Map<_, _>>().into()
        }
        other => other,
    }
}

impl UserStorage for Wrong {
    fn get(&self, user: &str, campaign: &str) -> Result<Option<Record>, StorageError> {
        let found = self.records().get(&self.key(user, campaign)).cloned();
        Ok(match self.mistake {
            Mistake::FindsEverybody => Some(found.unwrap_or_else(|| Record::new(user, campaign, ""))),
            _ => found,
        })
    }

    fn set(&self, record: Record) -> Result<(), StorageError> {
        let key = self.key(&record.user_id, &record.campaign_key);
        match self.mistake {
            Mistake::SetsOnce => {
                self.records().entry(key).or_insert(record);
            }
            Mistake::SetsWithoutClearing => {
                let mut records = self.records();
                let before = records.get(&key).and_then(|before| before.meta_data.clone());
                records.insert(key, Record { meta_data: record.meta_data.clone().or(before), ..record });
            }
            Mistake::SetsWholeUser => {
                // Reads all that a user has, and writes all of it back.
                let whole: Vec<Record> = self.records_of(&record.user_id)?;
                sleep(A_MOMENT);
                let mut records = self.records();
                records.retain(|_, other| other.user_id != record.user_id);
                whole.into_iter().chain([record]).for_each(|record| self.put(&mut records, record));
            }
            Mistake::SetsByHalves => {
                let mut half = record.clone();
                half.goals = GoalList::default();
                self.put(&mut self.records(), half);
                sleep(A_MOMENT);
                self.put(&mut self.records(), record);
            }
            _ => self.put(&mut self.records(), record),
        }
        Ok(())
    }

    fn look_up(&self, user: &str, campaign: &str) -> Answer {
        match (self.mistake, self.get(user, campaign)) {
            (Mistake::LooksUpNothing, _) | (_, Err(_)) => Answer::Absent,
            (_, Ok(found)) => found.into(),
        }
    }

    fn get_many(&self, user: &str, campaigns: &[&str]) -> Vec<Answer> {
        let mut campaigns = campaigns.to_vec();
        match self.mistake {
            Mistake::GetsManySorted => campaigns.sort_unstable(),
            Mistake::GetsManyOnce => {
                let mut seen = BTreeSet::new();
                campaigns.retain(|campaign| seen.insert(*campaign));
            }
            _ => {}
        }
        campaigns.into_iter().map(|campaign| self.look_up(user, campaign)).collect()
    }

    fn set_many(&self, mut records: Vec<Record>) -> Vec<Result<(), StorageError>> {
        let many = records.len();
        match self.mistake {
            Mistake::SetsManyReversed => records.reverse(),
            Mistake::SetsTheFirstOfMany => records.truncate(1),
            _ => {}
        }
        records.into_iter().for_each(|record| self.put(&mut self.records(), record));
        (0..many).map(|_| Ok(())).collect()
    }

    fn merge(&self, claim: Claim) -> Result<Merged, StorageError> {
        if self.mistake != Mistake::MergesInTwoSteps {
            return Ok(self.merge_into(&mut self.records(), &claim));
        }
        let read = self.get(&claim.record.user_id, &claim.record.campaign_key)?;
        sleep(A_MOMENT);
        let merged = self.merged(read.as_ref(), &claim);
        self.put(&mut self.records(), merged.record.clone());
        Ok(merged)
    }

    fn merge_many(&self, claims: Vec<Claim>) -> Vec<Result<Merged, StorageError>> {
        let mut merged: Vec<Merged> = match self.mistake {
            Mistake::MergesManyOnOldState => {
                let read = self.read(&claims);
                let merged: Vec<_> = claims.iter().map(|claim| self.merge_into(&mut read.clone(), claim)).collect();
                let mut records = self.records();
                merged.iter().for_each(|merged| self.put(&mut records, merged.record.clone()));
                merged
            }
            Mistake::MergesManyInTwoSteps => {
                let mut read = self.read(&claims);
                sleep(A_MOMENT);
                let merged: Vec<_> = claims.iter().map(|claim| self.merge_into(&mut read, claim)).collect();
                let mut records = self.records();
                merged.iter().for_each(|merged| self.put(&mut records, merged.record.clone()));
                merged
            }
            _ => {
                let mut records = self.records();
                claims.iter().map(|claim| self.merge_into(&mut records, claim)).collect()
            }
        };
        if self.mistake == Mistake::MergesManyReversed {
            merged.reverse();
        }
        merged.into_iter().map(Ok).collect()
    }

    fn records_of(&self, user: &str) -> Result<Vec<Record>, StorageError> {
        let records = self.records();
        let of_user = records.values().filter(|record| self.is_of(record, user, Mistake::ListsByPrefix));
        let mut found: Vec<Record> = of_user.cloned().collect();
        if self.mistake == Mistake::ListsUnsorted {
            found.sort_by_key(|record| (record.campaign_key.len(), record.campaign_key.clone()));
        }
        Ok(found)
    }

    fn erase(&self, user: &str) -> Result<u64, StorageError> {
        let mut records = self.records();
        let before = records.len();
        let last = records.iter().filter(|(_, record)| record.user_id == user).map(|(key, _)| key.clone()).next_back();
        let left = last.filter(|_| self.mistake == Mistake::EraseLeavesOne);
        records.retain(|key, record| !self.is_of(record, user, Mistake::ErasesByPrefix) || left.as_ref() == Some(key));
        let erased = (before - records.len()) as u64;
        Ok(if self.mistake == Mistake::EraseCountsUsers { erased.min(1) } else { erased })
    }

    /// In the order of keys; the place is the last key that was given.
    fn scan(&self, from: Option<&Cursor>, about: usize) -> Result<Page, StorageError> {
        let text = |cursor: &Cursor| String::from_utf8_lossy(cursor.as_bytes()).into_owned();
        let most = about.max(2).saturating_add(1);
        let records = self.records();
        let after: Vec<(&(String, String), &Record)> = if self.mistake == Mistake::ScanCountsPlaces {
            let place = from.and_then(|cursor| text(cursor).parse().ok()).unwrap_or(0);
            records.iter().skip(place).take(most).collect()
        } else {
            let last = from.map(text).and_then(|text| serde_json::from_str::<(String, String)>(&text).ok());
            let skipped = usize::from(self.mistake == Mistake::ScanSkips && from.is_some());
            let start = match last {
                None => Bound::Unbounded,
                Some(last) if self.mistake == Mistake::ScanRepeats => Bound::Included(last),
                Some(last) => Bound::Excluded(last),
            };
            records.range((start, Bound::Unbounded)).skip(skipped).take(most).collect()
        };
        let page: Vec<_> = after.iter().take(about.max(2)).collect();
        let last = page.last().filter(|_| page.len() < after.len()).map(|(key, _)| *key);
        let next = last.map(|last| match self.mistake {
            Mistake::ScanStartsOver => Cursor::new(Vec::new()),
            Mistake::ScanCountsPlaces => {
                let place = from.and_then(|cursor| text(cursor).parse::<usize>().ok()).unwrap_or(0) + page.len();
                Cursor::new(place.to_string().into_bytes())
            }
            _ => Cursor::new(serde_json::to_vec(last).unwrap_or_default()),
        });
        Ok(Page { records: page.iter().map(|(_, record)| Record::clone(record)).collect(), next, ..Page::default() })
    }
}
