//! Whether nothing is where nothing is found.
//!
//! redb's inner pages lead to a place by keys whose checksums it does not look at. A flipped bit in one leads to a wrong
//! place, where nothing is found that is stored elsewhere. So in a file that was not verified as a whole, nothing counts
//! as absent before its neighbours agree: the record before the gap must belong before it, the one after it behind it, and
//! both must be whole. (A flipped bit in the number of a page can still lead astray: only verifying the file finds that.)

use std::ops::Bound;

use redb::ReadableTable;

use super::codec::{Flaw, is_whole};

type Entry<'e> = (redb::AccessGuard<'e, &'static [u8]>, redb::AccessGuard<'e, &'static [u8]>);

/// Whether there is really no record with this key, after none was found.
pub(super) fn absent(
    records: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<Result<(), Flaw>, redb::Error> {
    let mut cursor = records.lower_bound(Bound::Included(key))?;
    let (before, after) = (cursor.peek_prev()?, cursor.peek_next()?);
    let whole = |_: &[u8]| false;
    Ok(agreed(belongs(before, |before| before < key, whole) && belongs(after, |after| after > key, whole)))
}

/// Whether the records on both sides of the gap before (or, excluded, behind) a key belong there. Those that are looked
/// for (`is_wanted`, by the key) need not be whole: they are found, and what is wrong with them is for the caller to see.
pub(super) fn sound(
    records: &impl ReadableTable<&'static [u8], &'static [u8]>,
    at: Bound<&[u8]>,
    is_wanted: impl Fn(&[u8]) -> bool,
) -> Result<Result<(), Flaw>, redb::Error> {
    let is_before = |key: &[u8]| match at {
        Bound::Included(place) => key < place,
        Bound::Excluded(place) => key <= place,
        Bound::Unbounded => false,
    };
    let mut cursor = records.lower_bound(at)?;
    let (before, after) = (cursor.peek_prev()?, cursor.peek_next()?);
    Ok(agreed(belongs(before, is_before, &is_wanted) && belongs(after, |after| !is_before(after), &is_wanted)))
}

fn belongs(
    entry: Option<Entry<'_>>,
    place: impl FnOnce(&[u8]) -> bool,
    may_be_damaged: impl FnOnce(&[u8]) -> bool,
) -> bool {
    entry.is_none_or(|(key, value)| {
        let key = key.value();
        place(key) && (may_be_damaged(key) || is_whole(key, value.value()))
    })
}

fn agreed(is_sound: bool) -> Result<(), Flaw> {
    if is_sound { Ok(()) } else { Err(Flaw::Beside) }
}
