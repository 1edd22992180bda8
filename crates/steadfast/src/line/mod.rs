//! The line format: a call as a JSON object in, its answer as a JSON object out.
//!
//! ```text
//! {"op":"activate","campaignKey":"ab","userId":"Ashley","options":{"customVariables":{"plan":"gold"}}}
//! {"i":0,"result":"Control"}
//! ```
//!
//! Calls and options have the names of the document. A line that is no JSON object, or whose `op` is not known, is
//! [malformed](LineError). A well-formed line whose values are of a wrong type is a mistake of the caller: its answer
//! is the reference's `null` or `false` (spec API-10 to API-19), and the [`Answer`] says why. Keys that are not known have no effect, and are
//! in the line's [warnings](Line::warnings).
//!
//! `request` reads a line, `options` its options, `unknown` finds keys without effect, `calls` makes its call, `answer` writes the result.

mod answer;
mod calls;
mod options;
mod request;
mod unknown;

pub use answer::{Answer, Told, explain, explain_async, run, run_async};
pub use request::{Line, LineError, Operation};
