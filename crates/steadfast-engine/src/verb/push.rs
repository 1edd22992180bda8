//! `push`: properties of a visitor, for segmentation in reports.

use std::collections::BTreeMap;

use crate::decide::Request;
use crate::error::CallError;
use crate::settings::Settings;
use crate::shared::Shared;

/// The longest name and value, in UTF-16 code units (spec API-51).
const LONGEST: usize = 255;

/// Properties of a visitor, to be sent.
#[derive(Debug)]
pub struct Push<'a> {
    settings: Shared<'a, Settings>,
    user: Shared<'a, str>,
    properties: BTreeMap<String, String>,
}

/// Checks the properties of a visitor. Asks for nothing that is stored.
///
/// # Errors
/// When the user id is empty, there is no property, or a name or value is empty or longer than 255 UTF-16 code units
/// (spec API-50 to API-54, with the limits for every entry: Q-104).
pub fn push<'a>(request: Request<'a>, properties: BTreeMap<String, String>) -> Result<Push<'a>, CallError> {
    request.check_user()?;
    if properties.is_empty() {
        return Err(CallError::NothingToPush);
    }
    for (name, value) in &properties {
        if name.is_empty() || value.is_empty() || is_too_long(name) || is_too_long(value) {
            return Err(CallError::PropertyLength { name: name.chars().take(40).collect() });
        }
    }
    Ok(Push { settings: request.settings, user: request.user, properties })
}

impl Push<'_> {
    /// The settings that were in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The user.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The properties, by name.
    #[must_use]
    pub fn properties(&self) -> &BTreeMap<String, String> {
        &self.properties
    }
}

fn is_too_long(text: &str) -> bool {
    text.len() > LONGEST && text.encode_utf16().count() > LONGEST
}
