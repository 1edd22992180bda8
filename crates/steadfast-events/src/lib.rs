//! Events on their way to the collector.
//!
//! The engine says *that* something is to be told ([`steadfast_engine::Event`]); here it becomes what is sent. In reading
//! order:
//!
//! 1. `event.rs`: an [`Event`], what is kept of a call until it is delivered. It owns what it needs, and no user id.
//! 2. `wire/`: an event as data becomes an HTTP [`Request`](wire::Request) as a value. Pure: no clock, no network.
//! 3. `retry.rs`: what an answer means. `dispatcher.rs`: what is sent next, as a state machine that is told the time.
//! 4. `spool/`: events on disk, until they are delivered.
//! 5. `http.rs`: the network. `collector.rs`: the threads that drive the rest.

pub mod collector;
pub mod dispatcher;
pub mod event;
pub mod http;
pub mod retry;
pub mod spool;
pub mod wire;

pub use collector::{BuildError, Collector, CollectorBuilder, Failing, FlushError, LostBy};
pub use dispatcher::{Batching, Counters, Delivery};
pub use event::{Account, Event, Stamp};
pub use http::{Endpoint, EndpointError};
pub use retry::BackOff;
pub use spool::{Spool, SpoolError};
pub use wire::Sender;
