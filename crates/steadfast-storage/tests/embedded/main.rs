//! The storage in a file: its contract, and what it does when file, disk or process fail.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what tests share says what must hold too"
)]

mod contract;
mod damage;
mod disk;
mod folder;
mod keys;
mod maintenance;
mod sharing;
