//! The built-in storages, a folder or file each.

pub mod memory;
