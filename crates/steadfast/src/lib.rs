//! Steadfast: experiment decisions that stay.
//!
//! A [`blocking::Client`] decides with the engine, asks its storage when the engine does, and carries out the effects.
//! [`line`] is the same as a stream of JSON lines.

pub mod blocking;
mod drive;
pub mod line;

pub use steadfast_engine as engine;
pub use steadfast_storage as storage;
