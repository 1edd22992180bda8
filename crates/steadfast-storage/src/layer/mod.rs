//! Storages made of a storage.

pub mod breaker;
pub mod deadline;

pub use breaker::{Breaker, BreakerOptions};
pub use deadline::Deadline;
pub mod pseudonym;
pub use pseudonym::{Pseudonym, PseudonymKey, PseudonymKeyError};
pub mod cache;
pub use cache::{Cache, CacheOptions};
