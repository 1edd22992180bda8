//! Why a command could not start, and what to do about it.

use std::fmt;
use std::io;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use steadfast::storage::StorageError;

/// How the word `error` looks on a terminal.
pub(crate) const STYLE: Style = AnsiColor::Red.on_default().bold();

/// The exit status of a command that could not start. (1 is for a command that ran and found fault.)
const COULD_NOT_START: u8 = 2;

/// The exit status of a command that had to stop before its end.
const STOPPED: u8 = 3;

/// The exit status of a command that came to its end, and could not keep everything.
pub(crate) const NOT_KEPT: u8 = 4;

/// A message for the one who called: what went wrong, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    status: u8,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), status: COULD_NOT_START }
    }

    /// What stopped a command that had begun.
    pub(crate) fn stopped(error: &dyn fmt::Display) -> Self {
        Failure { message: format!("stopped before the end: {error}"), status: STOPPED }
    }

    /// A storage that cannot be used. It says itself what to do next.
    pub(crate) fn storage(error: &StorageError) -> Self {
        Failure::new(error.to_string())
    }

    /// The same, with more to be known.
    pub(crate) fn with(self, more: &str) -> Self {
        Failure { message: format!("{}; {more}", self.message), ..self }
    }

    /// The exit status it ends the program with.
    pub(crate) fn status(&self) -> u8 {
        self.status
    }

    /// A file that cannot be read.
    pub(crate) fn cannot_read(what: &str, path: &Path, error: &io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => format!(": {}", check_path(path)),
            io::ErrorKind::InvalidData => ": it must be UTF-8 text".to_owned(),
            _ => String::new(),
        };
        Failure::new(format!("cannot read the {what} `{}`: {error}{hint}", path.display()))
    }

    /// A file that cannot be written.
    pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> Self {
        Failure::new(format!("cannot write `{}`: {error}", path.display()))
    }
}

/// What to do about a path where nothing is.
pub(crate) fn check_path(path: &Path) -> &'static str {
    if path.is_relative() { "check the path, which is relative to the current folder" } else { "check the path" }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}
