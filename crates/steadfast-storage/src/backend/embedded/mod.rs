//! `EmbeddedStorage` keeps records in one file on this machine, for one process at a time.
//!
//! # The file
//!
//! A database of [redb](https://docs.rs/redb) with two tables. Nothing else is kept beside it, but for `<file>.new`
//! while it is created.
//!
//! **`format`**: text to number. `version` is the format of the whole file, at present 1. It is looked at before anything
//! is written; a file of a newer format is left as it is.
//!
//! **`records`**: bytes to bytes. The key is the user id, its end, the campaign key:
//!
//! ```text
//! user id    its UTF-8 bytes, each 00 followed by FF
//! end        00
//! campaign   its UTF-8 bytes
//! ```
//!
//! No UTF-8 text begins with FF, so the end is not mistaken for a 00 of the user id, and bytes are in the order of (user
//! id, campaign key): a user's records stand together. The value, numbers little-endian, lengths as LEB128:
//!
//! ```text
//! 1 byte     version of the value, at present 1
//! 1 byte     flags: 1 activated, 2 goals follow, 4 metadata follows
//! length     and bytes of the variation's name
//! length     and bytes of the goal list, if goals follow
//! bytes      the metadata as JSON, if it follows
//! 4 bytes    CRC-32 of key and value up to here
//! ```
//!
//! Version and checksum keep their places in every version. So a flipped bit is an error of this record, and never
//! another variation; and a record of a newer version is known as one.
//!
//! # Damage
//!
//! redb keeps a checksum of every page in the page above, and does not look at it when it reads. Up to
//! [`EmbeddedOptions::verify_bytes`] the whole file is verified when it is opened, without writing to it; a larger one
//! is taken as it is: then a record is verified when it is read, and nothing counts as absent before its neighbours agree
//! (`gap.rs`). [`EmbeddedStorage::check`] verifies everything. Where redb panics on what it finds, that is caught and is
//! [`StorageErrorKind::Corrupt`](crate::StorageErrorKind::Corrupt); a program built with `panic = "abort"` ends.
//!
//! # Writing
//!
//! One thread writes. What waits at one moment goes into one transaction, which is on the disk before anybody is
//! answered. A crash loses nothing that was answered, and opening after one takes a millisecond or two: each commit keeps
//! what redb needs to go on ("quick repair"). Reading never waits for a commit.
//!
//! Reading order: `storage.rs`, `writer.rs` and `read.rs` (the two ways in), `handle.rs` (the open file, and opening it
//! anew after a failure), `open.rs`, `create.rs`, `key.rs`, `codec.rs`, `gap.rs`, `failure.rs`; for maintenance `check.rs`,
//! `compact.rs`,
//! `stats.rs` and `overlay.rs` (looking without writing).

mod check;
mod codec;
mod compact;
mod create;
mod failure;
mod gap;
mod handle;
mod key;
mod open;
mod overlay;
mod read;
mod stats;
mod storage;
mod writer;

#[cfg(feature = "write-behind")]
pub(crate) use failure::let_go;
#[cfg(feature = "write-behind")]
pub(crate) use overlay::Overlay;

pub use check::{Checked, Problem};
pub use compact::Compacted;
pub use open::EmbeddedOptions;
pub use stats::Stats;
pub use storage::EmbeddedStorage;
