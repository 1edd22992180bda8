//! The built-in storages, a folder or file each.

#[cfg(feature = "embedded")]
pub mod embedded;
pub mod memory;
pub mod unopened;

#[cfg(feature = "redis")]
pub mod redis;
