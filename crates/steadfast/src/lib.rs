#![doc = include_str!("../README.md")]

pub mod blocking;
mod builder;
pub mod confirmed;
mod core;
mod counters;
mod drive;
pub mod event;
pub mod explanation;
mod in_force;
pub mod integration;
pub mod line;
pub mod nonblocking;
mod own_writes;
mod queue;
#[cfg(feature = "network")]
mod settings_cache;
#[cfg(feature = "network")]
mod settings_source;
#[cfg(feature = "layers")]
mod storage_config;

pub use builder::{Builder, Limits};
pub use confirmed::{Confirmation, Confirmed};
pub use counters::CampaignCounters;
pub use event::EventSink;
pub use nonblocking::Client;
pub use own_writes::Memory;
pub use queue::Unfinished;
#[cfg(feature = "network")]
pub use settings_cache::{FileCache, SettingsCache};
#[cfg(feature = "network")]
pub use settings_source::{FetchError, Poll, SettingsChange, SettingsSource};
#[cfg(feature = "layers")]
pub use storage_config::StorageConfig;

pub use steadfast_engine as engine;
pub use steadfast_storage as storage;

/// The programs in `docs/storage.md`, which are tested as those of the README are.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/storage.md")]
mod document_on_storages {}

/// The programs in `docs/network.md`.
#[cfg(all(doctest, feature = "network"))]
#[doc = include_str!("../../../docs/network.md")]
mod document_on_the_network {}
