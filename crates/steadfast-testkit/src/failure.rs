//! Why something of the test kit did not work.

use std::fmt;
use std::path::Path;

/// A failure, in words for whoever runs the tests.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Failure(message.into())
    }

    pub(crate) fn at(path: &Path, reason: impl fmt::Display) -> Self {
        Failure(format!("`{}`: {reason}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}
