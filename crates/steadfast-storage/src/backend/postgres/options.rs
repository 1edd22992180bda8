//! How a storage on a PostgreSQL server is opened.

use std::time::Duration;

use crate::user_storage::Writes;

/// How a [`PostgresStorage`](super::PostgresStorage) is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresOptions {
    /// Opening a connection, with everything it takes, ends after this. 5 s by default.
    pub connect_deadline: Duration,
    /// A call waits so long for a connection of the pool to be free. 5 s by default.
    pub pool_deadline: Duration,
    /// All statements of one call end after this, and the server is told to cancel one that takes nine tenths of it. 5 s
    /// by default.
    pub statement_deadline: Duration,
    /// At most so many connections are open, each to serve one call at a time. 16 by default: writes wait for the disk of
    /// the server, and those that wait side by side are written together there.
    pub pool_size: usize,
    /// The schema of the table. None by default: the first one of the connection's `search_path` that is there. It is not
    /// made.
    pub schema: Option<String>,
    /// The name of the table, `steadfast_record` by default. The table of its migrations has the same name with
    /// `_version` behind it.
    pub table: String,
    /// Nothing is made: the table must be there, and of this version, and a server that takes no writes will do. Not by
    /// default.
    pub existing: bool,
    /// At most so many records are written in one statement. 200 by default: larger ones are hardly faster.
    pub batch: usize,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        PostgresOptions {
            connect_deadline: Duration::from_secs(5),
            pool_deadline: Duration::from_secs(5),
            statement_deadline: Duration::from_secs(5),
            pool_size: 16,
            schema: None,
            table: "steadfast_record".to_owned(),
            existing: false,
            batch: 200,
        }
    }
}

impl PostgresOptions {
    /// How a storage under these options likes to be written to.
    #[must_use]
    pub fn writes(&self) -> Writes {
        Writes::Together(self.batch.max(1))
    }
}
