//! The User Storage Service: where decisions are kept.
//!
//! A service has two operations, as the document of VWO FullStack has it: `get` a record, `set` a record. Whoever
//! writes one implements these two and nothing else. A built-in backend also [merges](merge): the first variation
//! stays, a variation that is gone is replaced by name, goals only grow. What is merged is a [`Claim`].
//!
//! Modules in reading order: [`user_storage`] (the two traits, side by side), [`merge`] (the contract of a built-in
//! backend, as a pure function), [`backend`], [`error`]; with the feature `layers`, `layer` (storages made of a storage).
//!
//! # How to add a backend
//!
//! 1. `backend/`: a file or folder of its own, which implements [`UserStorage`] (or [`AsyncUserStorage`]). Override
//!    `merge` with something atomic, and `records_of`, `erase` and `scan`. No caching, retry or timeout inside. Its
//!    errors name no user and say what to do next ([`StorageErrorKind`]).
//! 2. `backend/mod.rs`: its module; here, its `pub use`.
//! 3. `Cargo.toml`: a feature of its name where it has dependencies of its own, in front of both lines of step 2 and of
//!    its tests.
//! 4. `steadfast-testkit/tests/conformance.rs`: a test that holds it against `conformance::built_in`, or
//!    `built_in_async`; `conformance::merging` while step 1 lacks the last three.
//! 5. `steadfast-cli/src/storage/url.rs`: its URL, a variant of `StorageUrl` that is read, shown and opened, and its
//!    form in `ACCEPTED`; in the help of `--storage` (`command/batch.rs`, `command/storage/mod.rs`) what it stands for.
//! 6. `docs/storage.md`: whose storage it is, and what it promises; the code map of `ARCHITECTURE.md`.

pub mod backend;
#[cfg(feature = "bridge")]
pub mod bridge;
pub mod error;
pub mod held;
#[cfg(feature = "layers")]
pub mod layer;
/// Of the storages made of a storage the one that this is built with.
#[cfg(all(feature = "write-behind", not(feature = "layers")))]
pub mod layer {
    pub mod write_behind;
}
pub mod merge;
pub mod page;
#[cfg(any(feature = "bridge", feature = "layers", feature = "postgres", feature = "redis"))]
mod several;
pub mod user_storage;

#[cfg(feature = "embedded")]
pub use backend::embedded::{EmbeddedOptions, EmbeddedStorage};
pub use backend::memory::MemoryStorage;
#[cfg(feature = "layers")]
pub use backend::opening::Opening;
#[cfg(feature = "postgres")]
pub use backend::postgres::{PostgresOptions, PostgresStorage};
#[cfg(feature = "redis")]
pub use backend::redis::{RedisOptions, RedisStorage};
pub use backend::unopened::UnopenedStorage;
pub use error::{StorageError, StorageErrorKind};
pub use held::{Held, HeldUserStorage};
pub use merge::{Claim, Condition, Merged, Outcome};
pub use page::{Cursor, Page};
pub use steadfast_engine::{Answer, GoalList, Record, RecordTextError, StorageFailure};
pub use user_storage::{AsyncUserStorage, UserStorage, Writes};
