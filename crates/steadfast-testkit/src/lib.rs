//! What Steadfast's own tests stand on; no part of any release.
//!
//! [`case`] reads golden cases, [`play`] runs their requests on a client in this process, [`oracle`] asks the official
//! SDK, [`compare`] says where two sets of answers differ, [`generate`] makes fresh settings files and requests, and
//! [`rule`] runs single rules. [`compat`] reads the table of deliberate differences; [`attribute`] says which of them a
//! difference comes from.

pub mod attribute;
pub mod case;
pub mod compare;
pub mod compat;
mod failure;
pub mod generate;
pub mod oracle;
pub mod play;
pub mod rule;

pub use case::Case;
pub use failure::Failure;
