//! Why a storage could not do what it was asked.

use std::fmt;

use steadfast_engine::StorageFailure;

/// A failed look-up or write.
#[derive(Debug)]
pub struct StorageError {
    kind: StorageErrorKind,
    message: Box<str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageErrorKind {
    /// The storage cannot be reached just now: the same call may succeed later.
    Unavailable,
    /// It did not answer in time: the same call may succeed later. A write may have been done all the same.
    TimedOut,
    /// There is no room left: the same call succeeds once there is.
    Full,
    /// Another process has it, and only one may.
    InUse,
    /// It may not be read or written: a matter of permissions or configuration.
    Denied,
    /// What is stored cannot be read.
    Corrupt,
    /// What is stored was written by a newer version.
    NewerFormat,
    /// The storage has no such operation.
    Unsupported,
    /// Anything else.
    Other,
}

impl StorageError {
    /// A failure in words for people: lower case, without a full stop, without the user's id.
    pub fn new(kind: StorageErrorKind, message: impl Into<Box<str>>) -> Self {
        StorageError { kind, message: message.into(), source: None }
    }

    /// The same failure, with the error it comes from.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same failure once more, for somebody else whom it concerns; without the error it comes from.
    #[must_use]
    pub fn again(&self) -> StorageError {
        StorageError { kind: self.kind, message: self.message.clone(), source: None }
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> StorageErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self.kind, StorageErrorKind::Unavailable | StorageErrorKind::TimedOut | StorageErrorKind::Full)
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for StorageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<StorageError> for StorageFailure {
    /// A look-up that failed, as the engine hears of it. The error, and so its kind, stays behind it.
    fn from(error: StorageError) -> Self {
        StorageFailure::of(error)
    }
}

impl From<StorageFailure> for StorageError {
    /// Of the kind that was said, [`StorageErrorKind::Other`] where none was.
    fn from(failure: StorageFailure) -> Self {
        let said = failure.error().downcast_ref::<StorageError>();
        StorageError::new(said.map_or(StorageErrorKind::Other, StorageError::kind), failure.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_survives_the_way_through_an_answer() {
        let failure = StorageFailure::from(StorageError::new(StorageErrorKind::TimedOut, "too late"));
        assert_eq!(failure, StorageFailure::new("too late"));
        let error = StorageError::from(failure);
        assert_eq!((error.kind(), error.to_string().as_str()), (StorageErrorKind::TimedOut, "too late"));
        let unsaid = StorageError::from(StorageFailure::new("too late"));
        assert_eq!(unsaid.kind(), StorageErrorKind::Other);
    }
}
