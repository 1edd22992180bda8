//! The built-in storages, a folder or file each.

#[cfg(feature = "embedded")]
pub mod embedded;
pub mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod unopened;

#[cfg(feature = "redis")]
pub mod redis;
