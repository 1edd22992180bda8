//! Merging: what is empty is claimed by one statement, what changes is compared and changed by another.

use std::collections::HashMap;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::lease::Lease;
use super::row::{Fields, Flaw, Stored, Written, get};
use super::statements::Statements;
use crate::error::StorageError;
use crate::merge::{Claim, Condition, Merged, merge};

/// A claim, and how it is written.
pub(super) struct Wanted<'c> {
    pub(super) claim: &'c Claim,
    pub(super) written: Written<'c>,
}

/// What becomes of a claim; none until that is known.
type Became = Option<Result<Merged, StorageError>>;

/// A change of what is there, if it still is.
struct Change {
    /// Which claim it is of.
    number: usize,
    there: Stored,
    merged: Merged,
}

/// Merges claims, no two of which are for one place, in the order of their places; what became of each.
///
/// Every turn ends some of them: where one has to begin anew, somebody else has written.
pub(super) async fn merge_apart(
    lease: &mut Lease<'_>,
    statements: &Statements,
    wanted: &[&Wanted<'_>],
) -> Vec<Result<Merged, StorageError>> {
    let mut became: Vec<Became> = wanted.iter().map(|_| None).collect();
    // Whether something is there, as far as is known: then it is read first.
    let mut taken: Vec<bool> = wanted
        .iter()
        .map(|wanted| matches!(wanted.claim.condition, Condition::Stored | Condition::Replaces(_)))
        .collect();
    let mut left: Vec<usize> = (0..wanted.len()).collect();
    let mut failure = None;
    while failure.is_none() && !left.is_empty() {
        failure = turn(lease, statements, wanted, &left, &mut taken, &mut became).await.err();
        left.retain(|number| became[*number].is_none());
    }
    let failed = |failure: &Option<StorageError>| {
        Err(failure.as_ref().map_or_else(|| lease.shown().flawed(), StorageError::again))
    };
    became.into_iter().map(|became| became.unwrap_or_else(|| failed(&failure))).collect()
}

async fn turn(
    lease: &mut Lease<'_>,
    statements: &Statements,
    wanted: &[&Wanted<'_>],
    left: &[usize],
    taken: &mut [bool],
    became: &mut [Became],
) -> Result<(), StorageError> {
    let numbers: HashMap<(&str, &str), usize> =
        left.iter().map(|number| (wanted[*number].written.place.key(), *number)).collect();
    let number_of = |row: &Row| numbers.get(&(get(row, 0).ok()?, get(row, 1).ok()?)).copied();
    let those = |numbers: Vec<usize>| numbers.into_iter().map(|number| wanted[number]).collect::<Vec<_>>();
    let free = left.iter().copied().filter(|number| !taken[*number]).collect();
    for row in claim(lease, statements, &those(free)).await? {
        if let Some(number) = number_of(&row) {
            became[number] = Some(Ok(merge(None, wanted[number].claim)));
        }
    }
    let not_claimed: Vec<usize> = left.iter().copied().filter(|number| became[*number].is_none()).collect();
    for number in &not_claimed {
        taken[*number] = false;
    }
    let mut changes = Vec::new();
    for row in read(lease, statements, &those(not_claimed)).await? {
        let Some(number) = number_of(&row) else { continue };
        taken[number] = true;
        match met(number, Stored::at(&row, 4), wanted[number].claim) {
            Ok(Met::Changes(change)) => changes.push(change),
            Ok(Met::Stays(merged)) => became[number] = Some(Ok(merged)),
            Err(Flaw) => became[number] = Some(Err(lease.shown().flawed())),
        }
    }
    // They came in the order in which the rows were found.
    changes.sort_unstable_by_key(|change| change.number);
    for row in change(lease, statements, wanted, &changes, became).await? {
        if let Some(number) = number_of(&row) {
            let place = changes.binary_search_by_key(&number, |change| change.number);
            became[number] = place.ok().map(|place| Ok(changes[place].merged.clone()));
        }
    }
    Ok(())
}

/// What comes of a claim that met a record.
enum Met {
    /// All that is there stays.
    Stays(Merged),
    Changes(Change),
}

fn met(number: usize, there: Result<Stored, Flaw>, claim: &Claim) -> Result<Met, Flaw> {
    let there = there?;
    let record = there.record(claim.record.user_id.clone(), claim.record.campaign_key.clone())?;
    let merged = merge(Some(&record), claim);
    Ok(if merged.record == record { Met::Stays(merged) } else { Met::Changes(Change { number, there, merged }) })
}

/// Claims what is empty: the places of those.
async fn claim(
    lease: &mut Lease<'_>,
    statements: &Statements,
    wanted: &[&Wanted<'_>],
) -> Result<Vec<Row>, StorageError> {
    match wanted {
        [] => Ok(Vec::new()),
        [one] => lease.query(&statements.claim, &given(&one.written)).await,
        many => {
            let columns = Columns::of(many.iter().map(|wanted| &wanted.written));
            lease.query(&statements.claim_many, &columns.given()).await
        }
    }
}

/// What is there.
async fn read(
    lease: &mut Lease<'_>,
    statements: &Statements,
    wanted: &[&Wanted<'_>],
) -> Result<Vec<Row>, StorageError> {
    let places = wanted.iter().map(|wanted| wanted.written.place.key());
    match wanted {
        [] => Ok(Vec::new()),
        [one] => {
            let (user, campaign) = one.written.place.key();
            lease.query(&statements.get, &[&user, &campaign]).await
        }
        _ => {
            let (users, campaigns): (Vec<&str>, Vec<&str>) = places.unzip();
            lease.query(&statements.read, &[&users, &campaigns]).await
        }
    }
}

/// Tries to change what is there; the places where it was still the same. A change that cannot be written fails alone.
async fn change(
    lease: &mut Lease<'_>,
    statements: &Statements,
    wanted: &[&Wanted<'_>],
    changes: &[Change],
    became: &mut [Became],
) -> Result<Vec<Row>, StorageError> {
    let (mut places, mut was, mut is) = (Vec::new(), Vec::new(), Vec::new());
    for change in changes {
        match Fields::new(&change.merged.record) {
            Ok(fields) => {
                places.push(wanted[change.number].written.place.key());
                was.push(change.there.as_fields());
                is.push(fields);
            }
            Err(error) => became[change.number] = Some(Err(error)),
        }
    }
    match (&places[..], &was[..], &is[..]) {
        ([], ..) => Ok(Vec::new()),
        ([(user, campaign)], [was], [is]) => {
            let given: [&(dyn ToSql + Sync); 10] = [
                user,
                campaign,
                &was.variation,
                &was.goals,
                &was.activated,
                &was.meta_data,
                &is.variation,
                &is.goals,
                &is.activated,
                &is.meta_data,
            ];
            lease.query(&statements.change, &given).await
        }
        _ => {
            let (users, campaigns): (Vec<&str>, Vec<&str>) = places.into_iter().unzip();
            let (was, is) = (FieldColumns::of(was.iter()), FieldColumns::of(is.iter()));
            let given: [&(dyn ToSql + Sync); 10] = [
                &users,
                &campaigns,
                &was.variations,
                &was.goals,
                &was.activated,
                &was.meta_data,
                &is.variations,
                &is.goals,
                &is.activated,
                &is.meta_data,
            ];
            lease.query(&statements.change_many, &given).await
        }
    }
}

/// One row, in the order of the statements `set` and `claim`.
pub(super) fn given<'r>(row: &'r Written<'_>) -> [&'r (dyn ToSql + Sync); 8] {
    let Written { place, fields } = row;
    [
        &place.user.short,
        &place.campaign.short,
        &place.user.long,
        &place.campaign.long,
        &fields.variation,
        &fields.goals,
        &fields.activated,
        &fields.meta_data,
    ]
}

/// Rows as columns, which is how a statement is given several.
pub(super) struct Columns<'r> {
    users: Vec<&'r str>,
    campaigns: Vec<&'r str>,
    long_users: Vec<Option<&'r str>>,
    long_campaigns: Vec<Option<&'r str>>,
    fields: FieldColumns<'r>,
}

struct FieldColumns<'r> {
    variations: Vec<&'r str>,
    goals: Vec<&'r str>,
    activated: Vec<bool>,
    meta_data: Vec<Option<&'r str>>,
}

impl<'r> Columns<'r> {
    pub(super) fn of(rows: impl Iterator<Item = &'r Written<'r>> + Clone) -> Self {
        let places = rows.clone().map(|row| &row.place);
        Columns {
            users: places.clone().map(|place| &*place.user.short).collect(),
            campaigns: places.clone().map(|place| &*place.campaign.short).collect(),
            long_users: places.clone().map(|place| place.user.long.as_deref()).collect(),
            long_campaigns: places.map(|place| place.campaign.long.as_deref()).collect(),
            fields: FieldColumns::of(rows.map(|row| &row.fields)),
        }
    }

    /// In the order of the statements `set_many` and `claim_many`.
    pub(super) fn given(&self) -> [&(dyn ToSql + Sync); 8] {
        let fields = &self.fields;
        [
            &self.users,
            &self.campaigns,
            &self.long_users,
            &self.long_campaigns,
            &fields.variations,
            &fields.goals,
            &fields.activated,
            &fields.meta_data,
        ]
    }
}

impl<'r> FieldColumns<'r> {
    fn of(rows: impl Iterator<Item = &'r Fields<'r>> + Clone) -> Self {
        FieldColumns {
            variations: rows.clone().map(|row| &*row.variation).collect(),
            goals: rows.clone().map(|row| &*row.goals).collect(),
            activated: rows.clone().map(|row| row.activated).collect(),
            meta_data: rows.map(|row| row.meta_data.as_deref()).collect(),
        }
    }
}
