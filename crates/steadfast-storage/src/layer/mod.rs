//! Storages made of a storage. Each does one thing, is a storage of its own in the eyes of a client, and keeps the contract
//! of the one under it; the feature `layers` has them.
//!
//! | layer | kinds | |
//! | --- | --- | --- |
//! | [`Deadline`] | later | a call ends in time |
//! | [`Breaker`] | both | a storage that is down is left alone for a while |
//! | [`Cache`] | both | what was looked up lately is not looked up again |
//! | [`Pseudonym`] | both | user ids are kept as keyed hashes |
//! | [`Metered`] | both | calls are counted and timed |
//!
//! # In which order
//! Some orders are better than others. From the client to the storage:
//!
//! 1. [`Cache`]: what is remembered costs neither a hash of the user's id nor a look at the breaker, and is there while the
//!    storage is not.
//! 2. [`Breaker`] over [`Deadline`]: that a storage does not answer in time is what the breaker goes by. The other way
//!    round it would see calls that are given up, of which it cannot tell whether the storage or the caller was at fault.
//! 3. [`Deadline`] over the rest: all that one call asks of the storage, also a change of keys, is done in that time.
//! 4. [`Metered`]: here it counts what the storage is really asked, also what a deadline gave up. A second one with
//!    another name on the outside counts what clients ask.
//! 5. [`Pseudonym`] over the storage alone: nothing between the two sees a user's id.
//!
//! ```
//! use std::time::Duration;
//! use steadfast_storage::AsyncUserStorage;
//! use steadfast_storage::layer::{Breaker, BreakerOptions, Cache, CacheOptions, Deadline, Metered, Pseudonym, PseudonymKey};
//!
//! fn layered(storage: impl AsyncUserStorage, key: PseudonymKey) -> impl AsyncUserStorage {
//!     let storage = Metered::new(Pseudonym::new(storage, key), "orders-db");
//!     let storage = Deadline::new(storage, Duration::from_millis(50)).with_write(Duration::from_secs(1));
//!     Cache::new(Breaker::new(storage, BreakerOptions::default()), CacheOptions::default())
//! }
//! ```
//!
//! `write_behind`, which has a feature of its own, keeps writes until the storage has them. It goes outside of all others: a
//! cache over it would remember what the storage does not have yet.
//!
//! A layer that tries look-ups again is missing on purpose: a look-up that failed is decided without, a write that failed is
//! remembered by the client, and either comes again with the user.

pub mod breaker;
pub mod cache;
pub mod deadline;
pub mod metered;
pub mod pseudonym;
#[cfg(feature = "write-behind")]
pub mod write_behind;

pub use breaker::{Breaker, BreakerOptions, Turn};
pub use cache::{Cache, CacheOptions};
pub use deadline::Deadline;
pub use metered::Metered;
pub use pseudonym::{Pseudonym, PseudonymKey, PseudonymKeyError};

/// As long as anything here lasts, whatever the options say: a clock has an end.
const A_YEAR: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 60 * 60);
