//! Reading through all records, a page at a time.

use steadfast_engine::Record;

/// Some records, and where to go on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The records.
    pub records: Vec<Record>,
    /// The users of records that are there and cannot be read, one for each such record: a storage that finds the others
    /// without them passes over them, so that one record does not keep anybody from all.
    pub damaged: Vec<String>,
    /// The place of the next page; none at the end.
    pub next: Option<Cursor>,
}

/// A place between records, in a form that only the storage that gave it can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(Box<[u8]>);

impl Cursor {
    /// A place, in the storage's own form.
    pub fn new(place: impl Into<Box<[u8]>>) -> Cursor {
        Cursor(place.into())
    }

    /// The storage's own form of it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
