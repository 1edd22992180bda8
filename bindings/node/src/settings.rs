//! Settings from where VWO serves them, or a proxy of one's own.

use napi::bindgen_prelude::Result;
use napi_derive::napi;
use steadfast::SettingsSource;

use crate::options::{Options, endpoint};
use crate::refused;

/// The text of an account's settings, which were seen to be good.
///
/// # Errors
/// When they cannot be had, or are none.
#[napi]
pub async fn fetch_settings(account: String, sdk_key: String, server: Option<String>) -> Result<String> {
    let source = SettingsSource::vwo(account, sdk_key, &endpoint(server.as_deref())).map_err(refused)?;
    source.fetch_text().await.map(|(_, text)| text).map_err(refused)
}

/// What is wrong in settings that can be used all the same: a campaign that is broken spoils only itself.
///
/// # Errors
/// When a text is no settings.
#[napi]
pub fn check_settings(text: String) -> Result<Vec<String>> {
    let settings = Options::settings(&text)?;
    Ok(settings.problems().iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect())
}
