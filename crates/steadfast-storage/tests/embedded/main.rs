//! The storage in a file: its contract, and what it does when file, disk or process fail.

mod contract;
mod damage;
mod disk;
mod folder;
mod keys;
mod maintenance;
mod sharing;
