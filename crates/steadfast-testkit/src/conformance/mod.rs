//! The contract of the User Storage Service, as checks that any storage can be held against.
//!
//! - [`plain()`] is what every storage keeps: what is set is found.
//! - [`merging()`] is what one that overrides `merge` keeps besides: it merges, in one step, as
//!   [`merge`](steadfast_storage::merge::merge) says.
//! - [`built_in()`] is what a built-in storage keeps besides: it also lists, erases and reads through everything.
//! - [`layer()`] is what something that wraps a storage keeps when that storage fails.
//!
//! Each runs checks with names and returns a [`Report`]. A storage may hold other records: the kit uses user ids that
//! begin with `kit-` and are new in every run, and touches no others. What it stored it leaves behind.
//!
//! What is by chance comes from a seed, which the report names; the environment variable [`SEED`] repeats a run.
//!
//! Modules in reading order: `report`, `run` (what a check works with), `plain/`, `built_in/`, `faults` (the checks over
//! faults, of a built-in storage and of a layer); then the storages that misbehave on purpose, for tests of one's own:
//! [`raced`] and [`faulty`].

mod built_in;
mod check;
mod claims;
mod driven;
mod entry;
mod faults;
pub mod faulty;
mod lent;
mod limit;
mod plain;
pub mod raced;
mod report;
mod run;

pub use entry::{built_in, built_in_async, layer, layer_async, merging, merging_async, plain, plain_async};
pub use faulty::{Fault, Faulty, Fired, Operation, Schedule};
pub use raced::{Raced, Rival};
pub use report::{Checked, Finding, Report};
pub use run::SEED;
