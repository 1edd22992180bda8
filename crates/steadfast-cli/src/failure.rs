//! Why a command could not start, and what to do about it.

use std::fmt;
use std::io;
use std::path::Path;

use anstyle::{AnsiColor, Style};

/// How the word `error` looks on a terminal.
pub(crate) const STYLE: Style = AnsiColor::Red.on_default().bold();

/// The exit status of a command that could not start. (1 is for a command that ran and found fault.)
pub(crate) const COULD_NOT_START: u8 = 2;

/// A message for the one who called: what went wrong, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Failure(message.into())
    }

    /// A file that cannot be read.
    pub(crate) fn cannot_read(what: &str, path: &Path, error: &io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => ": check the path, which is relative to the current folder",
            io::ErrorKind::InvalidData => ": it must be UTF-8 text",
            _ => "",
        };
        Failure(format!("cannot read the {what} `{}`: {error}{hint}", path.display()))
    }

    /// A file that cannot be written.
    pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> Self {
        Failure(format!("cannot write `{}`: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
