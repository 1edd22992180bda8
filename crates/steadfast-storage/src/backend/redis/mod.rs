//! `redis:` keeps records in Redis or Valkey: one server, one behind Sentinel, or a Cluster.
//!
//! # What is stored
//!
//! One hash per user, `steadfast:{USER}`: a field for each campaign, and the record as its value (`value.rs`). The user is
//! a hash tag, so that all of their records lie on one shard and come in one round trip. Ids are taken as they are, byte
//! by byte. A key of its own, `steadfast:format`, says which form that is.
//!
//! # Merging
//!
//! A script on the server (`merge.lua`) merges claims in one step, whoever else writes. It answers with what was there
//! before, and [`merge::merge`](crate::merge::merge) says what came of that: the same function that the script is written
//! after, and held against in a test. On one server a script takes many users at once, also those of claims that are made one
//! by one at one moment (`gather.rs`); in a Cluster one each, side by side.
//!
//! # When it fails
//!
//! Nothing waits longer than [`RedisOptions::connect`] for a connection and [`RedisOptions::answer`] for an answer. A
//! connection that broke, or on which nothing is heard while callers give up, is made anew by the next call. No write is
//! tried twice, unless the server has said that it did nothing: one whose answer was lost may have been done, and only the
//! caller knows what that means.
//!
//! What Redis has acknowledged is as durable as its own settings make it (`appendfsync`), and a failover may lose the last
//! writes: see `docs/operations.md`.

mod command;
mod failure;
mod gather;
mod link;
mod options;
mod scan;
mod storage;
mod value;

pub use options::RedisOptions;
pub use storage::RedisStorage;
