#![doc = include_str!("../README.md")]

pub mod blocking;
mod drive;
pub mod line;

pub use steadfast_engine as engine;
pub use steadfast_storage as storage;
