//! Events on their way to the collector.
//!
//! The engine says *that* something is to be told ([`steadfast_engine::Event`]); here it becomes what is sent. In reading
//! order:
//!
//! 1. `event.rs`: an [`Event`], what is kept of a call until it is delivered. It owns what it needs, and no user id.
//! 2. `wire/`: an event as data becomes an HTTP [`Request`](wire::Request) as a value. Pure: no clock, no network.

pub mod event;
pub mod wire;

pub use event::{Account, Event, Stamp};
