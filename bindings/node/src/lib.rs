//! The addon: clients that answer calls of the line format, for `lib/` to put the official SDK's surface over.
//!
//! There are two, as in Rust. [`BlockingClient`](blocking::BlockingClient) answers where it is called; a storage of the
//! caller's is two JavaScript functions, which are called in the middle of a decision (`storage/here.rs`).
//! [`PromisingClient`](promising::PromisingClient) answers with a promise; the two functions may answer with promises of
//! their own (`storage/later.rs`). Both drive the same engine.
//!
//! `options` is what they are launched with, `open` what they hold until they are closed, `border` what goes over the border,
//! `events` what sends events, `settings` fetches settings, `log` hands on what the crates log.

mod blocking;
mod border;
mod events;
mod log;
mod open;
mod options;
mod promising;
mod settings;
mod storage;

use napi::bindgen_prelude::Error;

/// What went wrong with a call that cannot be made; it is thrown.
fn refused(error: impl std::fmt::Display) -> Error {
    Error::from_reason(error.to_string())
}
