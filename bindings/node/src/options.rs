//! What a client is launched with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use napi::bindgen_prelude::Result;
use napi_derive::napi;
use steadfast::engine::policy::{Activation, GoalTypes};
use steadfast::engine::settings::{CompileOptions, JsonVariables};
use steadfast::engine::{Policy, Settings};
use steadfast::event::Endpoint;
use steadfast::storage::StorageError;
use steadfast::storage::layer::write_behind::{Journal, WriteBehindOptions};
use steadfast::storage::layer::{CacheOptions, PseudonymKey};
use steadfast::{Builder, Poll, SettingsSource, StorageConfig};

use crate::events::Sink;
use crate::{border, refused};

/// What both clients are launched with, by the names of the official SDK where it has one.
#[napi(object)]
pub struct Options {
    /// A storage that is built in.
    pub storage: Option<StorageOptions>,
    /// Users must be activated before other calls know them (decision D-5).
    pub activation_required: bool,
    /// `shouldTrackReturningUser`
    pub track_returning_users: bool,
    /// `goalTypeToTrack`
    pub goal_types: Option<String>,
    /// `isDevelopmentMode`
    pub development_mode: bool,
    /// There is an `integrations.callback`.
    pub integrations: bool,
    /// `pollingInterval`, in milliseconds, and the key.
    pub polling_interval: Option<f64>,
    /// `sdkKey`
    pub sdk_key: Option<String>,
    /// `proxyUrl`: where settings are polled; VWO's server if it is not given.
    pub server: Option<String>,
}

/// A storage that is built in. Times are in milliseconds.
#[napi(object)]
pub struct StorageOptions {
    /// Its URL.
    pub url: String,
    /// A look-up on a server has so long.
    pub look_up: Option<f64>,
    /// A write to a server has so long.
    pub write: Option<f64>,
    /// In Redis, records go after so long without a write.
    pub retention: Option<f64>,
    /// In Redis, what all keys begin with.
    pub prefix: Option<String>,
    /// What was looked up lately is remembered.
    pub cache: Option<bool>,
    /// Users are kept by pseudonyms under this key.
    pub pseudonym_key: Option<String>,
    /// Writes are kept until the storage has them, in this file.
    pub journal: Option<String>,
}

impl Options {
    /// The settings, read as the official SDK reads them.
    pub(crate) fn settings(text: &str) -> Result<Settings> {
        let options = CompileOptions { json_variables: JsonVariables::Object, ..CompileOptions::default() };
        Settings::compile(text, options).map_err(refused)
    }

    /// A client that is put together so, and what it could not keep.
    pub(crate) fn builder<S>(
        &self,
        settings: &str,
        begin: impl FnOnce(Arc<Settings>) -> Builder<S>,
        sink: Option<&Sink>,
    ) -> Result<(Builder<S>, Unkept)> {
        let settings = Arc::new(Options::settings(settings)?);
        let account = settings.account().as_str().to_owned();
        let unkept = Unkept::default();
        let policy = Policy {
            activation: if self.activation_required { Activation::Required } else { Activation::Optional },
            track_returning_users: self.track_returning_users,
            goal_types: match self.goal_types.as_deref() {
                Some("REVENUE_TRACKING") => GoalTypes::Revenue,
                Some("CUSTOM_GOAL") => GoalTypes::Custom,
                _ => GoalTypes::All,
            },
            ..Policy::default()
        };
        let of_listener = Arc::clone(&unkept.0);
        // What a layer keeps back is not lost, and of a storage of the caller's `lib/storage.cjs` says it.
        let is_lost = self.storage.as_ref().is_some_and(|storage| storage.write_behind().is_none());
        let count = move |error: &StorageError| {
            if of_listener.fetch_add(1, Ordering::Relaxed) == 0 && is_lost {
                tracing::error!(%error, "the storage cannot keep decisions");
            }
        };
        let mut builder =
            begin(settings).policy(policy).development_mode(self.development_mode).on_storage_error(count);
        if self.integrations {
            builder = builder.integrations(border::show);
        }
        if let (Some(interval), Some(key)) = (self.polling_interval, &self.sdk_key) {
            let source = SettingsSource::vwo(&account, key, &endpoint(self.server.as_deref())).map_err(refused)?;
            builder = builder.poll(Poll::every(milliseconds(interval), source));
        }
        if let Some(sink) = sink {
            builder = builder.events(sink.collector());
        }
        Ok((builder, unkept))
    }
}

/// How many decisions the storage could not keep, since somebody asked last.
#[derive(Clone, Default)]
pub(crate) struct Unkept(Arc<AtomicU64>);

impl Unkept {
    /// What is wrong, or an empty text.
    pub(crate) fn told(&self) -> String {
        match self.0.swap(0, Ordering::Relaxed) {
            0 => String::new(),
            1 => "one decision could not be kept: it is in the memory of this process alone".to_owned(),
            many => format!("{many} decisions could not be kept: they are in the memory of this process alone"),
        }
    }
}

impl StorageOptions {
    /// The storage. Whoever launches a client waits for no server.
    pub(crate) fn config(&self) -> Result<StorageConfig> {
        let mut config = StorageConfig::from_url(&self.url).map_err(refused)?.in_background();
        if let Some(look_up) = self.look_up {
            config = config.look_up(milliseconds(look_up));
        }
        if let Some(write) = self.write {
            config = config.write(milliseconds(write));
        }
        if let Some(retention) = self.retention {
            config = config.retention(milliseconds(retention));
        }
        if let Some(prefix) = &self.prefix {
            config = config.prefix(prefix);
        }
        if self.cache == Some(true) {
            config = config.cache(CacheOptions::default());
        }
        if let Some(key) = &self.pseudonym_key {
            config = config.pseudonym(PseudonymKey::from_text(key).map_err(refused)?);
        }
        Ok(config)
    }

    /// Whether it is on a server.
    pub(crate) fn is_server(&self) -> bool {
        !self.url.starts_with("memory:") && !self.url.starts_with("embedded:")
    }

    /// How writes are kept until the storage has them: always where it is a server, which may be away.
    pub(crate) fn write_behind(&self) -> Option<WriteBehindOptions> {
        let journal = match &self.journal {
            Some(file) => Journal::Always(file.into()),
            None if self.is_server() => Journal::Off,
            None => return None,
        };
        Some(WriteBehindOptions { journal, ..WriteBehindOptions::default() })
    }
}

/// A server of VWO's, or in its place.
pub(crate) fn endpoint(url: Option<&str>) -> Endpoint {
    let default = Endpoint::default();
    Endpoint { url: url.map_or(default.url, str::to_owned), ..default }
}

/// A time that JavaScript gives as a number; `lib/config.cjs` has seen to it that it is none below zero.
pub(crate) fn milliseconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number / 1_000.0).unwrap_or(Duration::MAX)
}
