//! One failure where several answers are owed.

use steadfast_engine::{Answer, StorageFailure};

use crate::error::StorageError;

/// One failure for every campaign asked for.
pub(crate) fn failed(error: StorageError, many: usize) -> Vec<Answer> {
    vec![Answer::Failed(StorageFailure::from(error)); many]
}

/// One failure for every write.
pub(crate) fn each<R>(error: &StorageError, many: usize) -> Vec<Result<R, StorageError>> {
    (0..many).map(|_| Err(error.again())).collect()
}
