//! `PostgresStorage` keeps records in one table of a PostgreSQL server, for as many processes as there are.
//!
//! # The table
//!
//! ```text
//! steadfast_record            partitioned by hash of user_id into 16 (plain where the server has no such partitions)
//!   user_id            text   key; compared as bytes (COLLATE "C")
//!   campaign_key       text   key; compared as bytes
//!   variation_name     text
//!   goals              text   the list in the document's form, `buy_vwo_signup`
//!   activated          bool
//!   meta_data          text   JSON, exactly as it was given; null for none
//!   long_user_id       text   the whole user id, where it is too long for an index
//!   long_campaign_key  text   the same of the campaign key
//! steadfast_record_version    the numbers of the migrations that were applied
//! ```
//!
//! Texts are stored as they are, with two exceptions, both in `text.rs`. PostgreSQL has no NUL in a text: the characters
//! 0 to 3 are written as three characters each, in a way that keeps the order of bytes. A user id or campaign key of
//! more than 1,000 bytes stands in the key as its beginning and a digest, and as a whole in the column beside: the index
//! of a row has 2,704 bytes.
//!
//! # Merging
//!
//! [`merge`](mod@crate::merge) is written once, in Rust. One statement inserts the claims whose places are empty, which is
//! all there is to do for a new user. What stands in the other places is read. Where a merge changes that, a last statement
//! writes it, if it is still what was merged with; otherwise the claim begins anew with what is there now. So of many
//! writers at one moment somebody always gets on; and a claim that changes nothing writes nothing. A claim whose writer
//! knew of a record begins with reading. Rows are locked in the order of their keys, so that batches wait for each other,
//! and never in a circle.
//!
//! # Deadlines
//!
//! There are three, in [`PostgresOptions`]: for a connection of the pool to be free, for opening one, and for the
//! statements of a call. The server is told the last one, too (`statement_timeout`, `lock_timeout`), so that it does not
//! go on for somebody who is gone. A call that is given up is cancelled there, and its connection is closed
//! once that is answered; until then its place in the pool is taken, so that there are never more than the pool may have.
//! Where a URL has several hosts each has its share of the time, so that one which says nothing keeps nobody from the next.
//! A server that takes no writes is not asked: a replica may be behind, and that it has no record says nothing.
//!
//! Reading order: `storage.rs`, `claims.rs` (merging), `statements.rs` (the SQL), `row.rs` and `text.rs` (records as rows),
//! `lease.rs` and `hosts.rs` (connections and deadlines), `open.rs` and `migrate.rs`, `options.rs`, `url.rs`, `tls.rs`,
//! `failure.rs`.

mod claims;
mod failure;
mod hosts;
mod lease;
mod migrate;
mod open;
mod options;
mod row;
mod statements;
mod storage;
mod text;
mod tls;
mod url;

pub use options::PostgresOptions;
pub use storage::PostgresStorage;
