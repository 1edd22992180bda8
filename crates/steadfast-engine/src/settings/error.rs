//! Why a settings file cannot be used at all.

use std::fmt;

/// A settings file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    kind: SettingsErrorKind,
    message: String,
}

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingsErrorKind {
    /// The text is not JSON, or ends too early.
    NotJson,
    /// The text is JSON, but no object.
    NotAnObject,
    /// No account is named, without which nobody can be bucketed or reported.
    NoAccount,
    /// It holds more campaigns than can be numbered.
    TooLarge,
}

impl SettingsError {
    pub(super) fn new(kind: SettingsErrorKind, message: String) -> Self {
        SettingsError { kind, message }
    }

    pub(super) fn not_json(error: &serde_json::Error) -> Self {
        let what = if error.is_eof() { "the settings file ends too early" } else { "the settings file is not JSON" };
        SettingsError::new(SettingsErrorKind::NotJson, format!("{what}: {error}"))
    }

    /// What is wrong, for programs.
    #[must_use]
    pub fn kind(&self) -> SettingsErrorKind {
        self.kind
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for SettingsError {}
