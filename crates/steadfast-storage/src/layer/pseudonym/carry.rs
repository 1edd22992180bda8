//! What is found under an old key, and how it gets under the new one.

use std::collections::HashMap;

use steadfast_engine::{Answer, Record, StorageFailure};

use crate::error::{StorageError, StorageErrorKind};
use crate::merge::{Claim, Condition, Merged};

/// What was found of a user under old keys, by their new name.
#[derive(Default)]
pub(super) struct Carried {
    /// Of two records in one campaign, the one of the newer key.
    records: Vec<Record>,
    failure: Option<StorageError>,
}

impl Carried {
    /// What came of carrying over these records; whether all of them are stored now.
    pub(super) fn learn(&mut self, records: Vec<Record>, merged: Vec<Result<Merged, StorageError>>) -> bool {
        let mut stored = 0;
        let many = records.len();
        for (record, merged) in records.into_iter().zip(merged) {
            let record = match merged {
                Ok(merged) => {
                    stored += 1;
                    merged.record
                }
                Err(error) => {
                    self.failure.get_or_insert(error);
                    record
                }
            };
            if self.record(&record.campaign_key).is_none() {
                self.records.push(record);
            }
        }
        stored == many
    }

    /// What came of erasing where it was. A storage that cannot erase is none that failed.
    pub(super) fn erased(&mut self, erased: Result<u64, StorageError>) {
        if !is_plain(&erased)
            && let Err(error) = erased
        {
            self.failure.get_or_insert(error);
        }
    }

    /// What was found for a campaign. It is what is stored, wherever it is by now.
    pub(super) fn record(&self, campaign: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.campaign_key == campaign)
    }

    /// That all of it is under the new key, which a writer must know: what is written there before would be met as a
    /// first variation by what comes from an old key.
    ///
    /// # Errors
    /// Why some of it is not.
    pub(super) fn all(self) -> Result<(), StorageError> {
        self.failure.map_or(Ok(()), Err)
    }
}

/// The records of answers.
///
/// # Errors
/// When one of them is a failure.
pub(super) fn found(answers: Vec<Answer>) -> Result<Vec<Record>, StorageError> {
    let mut records = Vec::new();
    for answer in answers {
        match answer {
            Answer::Found(record) => records.push(Record::clone(&record)),
            Answer::Absent => {}
            Answer::Failed(failure) => return Err(failure.into()),
        }
    }
    Ok(records)
}

/// The records by their new name, as they are claimed under it: where something is there already, it stays.
pub(super) fn renamed(records: Vec<Record>, old: &str, new: &str) -> Vec<Record> {
    let own = records.into_iter().filter(|record| record.is_of(old));
    own.map(|record| Record { user_id: new.to_owned(), ..record }).collect()
}

pub(super) fn claim(record: &Record) -> Claim {
    Claim { record: record.clone(), goal: None, condition: Condition::Unknown, was_read: false }
}

/// Whether it is an operation that a storage with only `get` and `set` does not have.
pub(super) fn is_plain<R>(result: &Result<R, StorageError>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == StorageErrorKind::Unsupported)
}

/// The campaigns of each user, in the order of the users.
pub(super) fn by_user<'r>(records: impl Iterator<Item = &'r Record>) -> Vec<(String, Vec<String>)> {
    let mut users: Vec<(String, Vec<String>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for record in records {
        let place = *places.entry(&record.user_id).or_insert_with(|| {
            users.push((record.user_id.clone(), Vec::new()));
            users.len() - 1
        });
        users[place].1.push(record.campaign_key.clone());
    }
    users
}

/// By the place of each of several writes: its user, and the failure of those that cannot be made.
type Places = Vec<(String, Option<StorageError>)>;

/// Those of several writes that can be made, by the pseudonyms of their users, and what is to be told of all.
pub(super) fn sorted<T>(
    writes: Vec<T>,
    record: impl Fn(&mut T) -> &mut Record,
    refused: &HashMap<String, StorageError>,
    pseudonym: impl Fn(&str) -> String,
) -> (Vec<T>, Places) {
    let mut to_make = Vec::with_capacity(writes.len());
    let mut places = Vec::with_capacity(writes.len());
    for mut write in writes {
        let id = &mut record(&mut write).user_id;
        let refusal = refused.get(id.as_str()).map(StorageError::again);
        let new = pseudonym(id);
        let user = std::mem::replace(id, new);
        if refusal.is_none() {
            to_make.push(write);
        }
        places.push((user, refusal));
    }
    (to_make, places)
}

/// The results in the order of the writes.
pub(super) fn results<R>(
    places: Places,
    made: Vec<Result<R, StorageError>>,
    back: impl Fn(&str, R) -> R,
) -> Vec<Result<R, StorageError>> {
    let mut made = made.into_iter();
    let unanswered = || Err(StorageError::new(StorageErrorKind::Other, "the storage gave no answer"));
    let result = |(user, refusal): (String, Option<StorageError>)| match refusal {
        Some(error) => Err(error),
        None => made.next().unwrap_or_else(unanswered).map(|result| back(&user, result)),
    };
    places.into_iter().map(result).collect()
}

/// The campaigns for which nothing was found.
pub(super) fn absent<'c>(answers: &[Answer], campaigns: &[&'c str]) -> Vec<&'c str> {
    let of_each = campaigns.iter().zip(answers);
    of_each.filter(|(_, answer)| **answer == Answer::Absent).map(|(campaign, _)| *campaign).collect()
}

/// Answers what was absent from what was found under old keys. The campaigns that are still without, in their order.
pub(super) fn fill<'c>(
    answers: &mut [Answer],
    campaigns: &[&'c str],
    carried: Result<Carried, StorageError>,
) -> Vec<&'c str> {
    match carried {
        Ok(carried) => {
            for (answer, campaign) in answers.iter_mut().zip(campaigns) {
                if *answer == Answer::Absent
                    && let Some(record) = carried.record(campaign)
                {
                    *answer = Some(record.clone()).into();
                }
            }
        }
        Err(error) => {
            let failure = StorageFailure::from(error);
            let absent = answers.iter_mut().filter(|answer| **answer == Answer::Absent);
            absent.for_each(|answer| *answer = Answer::Failed(failure.clone()));
        }
    }
    absent(answers, campaigns)
}

/// Answers what is still absent, in its order.
pub(super) fn fill_in(answers: &mut [Answer], again: Vec<Answer>) {
    let absent = answers.iter_mut().filter(|answer| **answer == Answer::Absent);
    absent.zip(again).for_each(|(answer, again)| *answer = again);
}

/// How many records were erased under several keys: a failure under one hides none of the others' work from whoever
/// erases again.
pub(super) fn erased(so_far: Result<u64, StorageError>, here: Result<u64, StorageError>) -> Result<u64, StorageError> {
    Ok(so_far? + here?)
}
