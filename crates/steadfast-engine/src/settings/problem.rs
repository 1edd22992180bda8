//! What is wrong with a settings file, where, and what was expected there.

use std::fmt;

/// One finding of compilation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether something cannot be used, or only looks unintended.
    pub severity: Severity,
    /// Where, as a JSON path: `$.campaigns[3].variations[0].weight`.
    pub path: String,
    /// What is wrong and what was expected, in lower case, without a full stop.
    pub message: String,
}

/// How bad a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Used all the same, but somebody should look.
    Warning,
    /// The campaign (or group) it stands in cannot be used.
    Error,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(formatter, "{severity}: {}: {}", self.path, self.message)
    }
}

/// Collects problems while the tree is walked. The path is a stack of borrowed steps and becomes a text only when a
/// problem is reported: a clean file costs nothing here.
#[derive(Debug, Default)]
pub(crate) struct Problems<'a> {
    found: Vec<Problem>,
    /// The places of the errors among them.
    errors: Vec<usize>,
    path: Vec<PathStep<'a>>,
}

#[derive(Debug, Clone, Copy)]
enum PathStep<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Problems<'a> {
    /// Runs `body` one step further down, at `key`.
    pub(crate) fn at<R>(&mut self, key: &'a str, body: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(PathStep::Key(key));
        let result = body(self);
        self.path.pop();
        result
    }

    /// Runs `body` one step further down, at the item `index`.
    pub(crate) fn at_index<R>(&mut self, index: usize, body: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(PathStep::Index(index));
        let result = body(self);
        self.path.pop();
        result
    }

    /// Reports an error at the current place.
    pub(crate) fn error(&mut self, message: impl Into<String>) {
        self.report(Severity::Error, message.into());
    }

    /// Reports a warning at the current place.
    pub(crate) fn warn(&mut self, message: impl Into<String>) {
        self.report(Severity::Warning, message.into());
    }

    /// How many errors were reported so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors.len()
    }

    /// The first error that was reported after so many.
    pub(crate) fn error_after(&self, errors: usize) -> Option<&Problem> {
        self.errors.get(errors).map(|place| &self.found[*place])
    }

    /// Everything that was reported, in the order of the file.
    pub(crate) fn into_found(self) -> Vec<Problem> {
        self.found
    }

    fn report(&mut self, severity: Severity, message: String) {
        if severity == Severity::Error {
            self.errors.push(self.found.len());
        }
        self.found.push(Problem { severity, path: self.path_text(), message });
    }

    fn path_text(&self) -> String {
        let mut text = String::from("$");
        for step in &self.path {
            match step {
                PathStep::Key(key) if is_plain(key) => {
                    text.push('.');
                    text.push_str(key);
                }
                PathStep::Key(key) => text.push_str(&format!("[{key:?}]")),
                PathStep::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        text
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
