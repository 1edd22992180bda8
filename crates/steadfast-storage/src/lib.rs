//! The User Storage Service: where decisions are kept.
//!
//! A service has two operations, as the document of VWO FullStack has it: `get` a record, `set` a record. Whoever
//! writes one implements these two and nothing else. A built-in backend also [merges](merge): the first variation
//! stays, a variation that is gone is replaced by name, goals only grow. What is merged is a [`Claim`].
//!
//! Modules in reading order: [`user_storage`] (the two traits, side by side), [`merge`] (the contract of a built-in
//! backend, as a pure function), [`backend`], [`error`].
//!
//! To add a backend: implement [`UserStorage`] (or [`AsyncUserStorage`]) in a folder of its own under `backend/`,
//! override `merge` with something atomic, and hold it against [`merge::merge`]. No caching, retry or timeout inside.

pub mod backend;
#[cfg(feature = "bridge")]
pub mod bridge;
pub mod error;
pub mod held;
pub mod merge;
pub mod page;
pub mod user_storage;

#[cfg(feature = "embedded")]
pub use backend::embedded::{EmbeddedOptions, EmbeddedStorage};
pub use backend::memory::MemoryStorage;
pub use backend::unopened::UnopenedStorage;
pub use error::{StorageError, StorageErrorKind};
pub use held::HeldUserStorage;
pub use merge::{Claim, Condition, Merged, Outcome};
pub use page::{Cursor, Page};
pub use steadfast_engine::{Answer, GoalList, Record, RecordTextError, StorageFailure};
pub use user_storage::{AsyncUserStorage, UserStorage, Writes};
