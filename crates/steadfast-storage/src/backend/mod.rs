//! The built-in storages, a folder or file each.

#[cfg(feature = "embedded")]
pub mod embedded;
pub mod memory;
#[cfg(any(feature = "embedded", feature = "postgres", feature = "redis"))]
pub(crate) mod meta_data;
#[cfg(feature = "layers")]
pub mod opening;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
pub mod unopened;
