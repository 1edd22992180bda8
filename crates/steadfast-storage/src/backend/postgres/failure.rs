//! What goes wrong with a server, as an error of this crate: which kind, in words that name the server and say what to
//! do next. What the server says in its own words may hold keys of records, and is not passed on.

use std::error::Error;
use std::io;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use crate::error::{StorageError, StorageErrorKind};

/// Which server and table, for people.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) server: String,
    pub(super) table: String,
}

/// What was waited for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wait {
    /// A connection to be opened.
    Connection,
    /// One of the pool to be free.
    Pool,
    /// The answers to the statements of a call.
    Statement,
}

impl Shown {
    /// The error for the caller.
    pub(super) fn error(&self, error: tokio_postgres::Error) -> StorageError {
        if let Some(state) = error.code() {
            return self.refused(state, error.as_db_error().map_or("", |refusal| refusal.message()));
        }
        let server = &self.server;
        let cause = error.source();
        if let Some(cause) = cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
            let (kind, message) = match tls_error(cause) {
                Some(rustls::Error::InvalidCertificate(_)) => (
                    StorageErrorKind::Denied,
                    format!(
                        "the certificate of the PostgreSQL server {server} is not accepted: name the file of its authority by \
                     `sslrootcert`, or the host as the certificate does"
                    ),
                ),
                Some(_) => (StorageErrorKind::Denied, self.no_tls()),
                None => self.unreachable(cause, error.to_string() == "error connecting to server"),
            };
            return StorageError::new(kind, message).with_source(error);
        }
        let cause = cause.map(ToString::to_string).unwrap_or_default();
        let (kind, message) = match (error.to_string().as_str(), cause.as_str()) {
            ("error performing TLS handshake", "server does not support TLS") => (
                StorageErrorKind::Denied,
                format!(
                    "the PostgreSQL server {server} has no TLS, and the URL demands it: set `ssl = on` there, or \
                 `sslmode=prefer` in the URL"
                ),
            ),
            ("error performing TLS handshake", _) => (StorageErrorKind::Denied, self.no_tls()),
            ("authentication error" | "invalid configuration", _) => (
                StorageErrorKind::Denied,
                format!(
                    "the PostgreSQL server {server} asks for proof that the URL does not give ({cause}): put a password into it"
                ),
            ),
            ("error encoding message to server", _) => {
                (StorageErrorKind::Other, "a record is larger than PostgreSQL can keep: keep less metadata".to_owned())
            }
            ("connection closed" | "unexpected message from server" | "error parsing response from server", _) => (
                StorageErrorKind::Unavailable,
                format!(
                    "the connection to the PostgreSQL server {server} was closed: try again; a write may have been done"
                ),
            ),
            _ => (StorageErrorKind::Other, format!("the PostgreSQL server {server} cannot be used: see the cause")),
        };
        StorageError::new(kind, message).with_source(error)
    }

    fn no_tls(&self) -> String {
        format!(
            "the PostgreSQL server {} and this client find no TLS that both have: see the cause, and the host of the URL",
            self.server
        )
    }

    fn unreachable(&self, error: &io::Error, is_connecting: bool) -> (StorageErrorKind, String) {
        use io::ErrorKind as Io;
        let server = &self.server;
        match error.kind() {
            Io::ConnectionRefused | Io::NotFound => (
                StorageErrorKind::Unavailable,
                format!("no PostgreSQL server answers at {server}: start it, or check host and port of the URL"),
            ),
            Io::TimedOut => (
                StorageErrorKind::TimedOut,
                format!("the PostgreSQL server {server} did not answer in time: check that this machine may reach it"),
            ),
            // What the client says where no server of several takes writes.
            Io::PermissionDenied => (StorageErrorKind::Denied, self.read_only()),
            _ if is_connecting => (
                StorageErrorKind::Unavailable,
                format!("the PostgreSQL server {server} cannot be reached ({error}): check host and port of the URL"),
            ),
            _ => (
                StorageErrorKind::Unavailable,
                format!(
                    "the connection to the PostgreSQL server {server} broke ({error}): try again; a write may have been done"
                ),
            ),
        }
    }

    /// The server answered, and says no.
    fn refused(&self, state: &SqlState, message: &str) -> StorageError {
        use StorageErrorKind::{Corrupt, Denied, Full, Other, TimedOut, Unavailable};
        let (server, table) = (&self.server, &self.table);
        let code = state.code();
        let (kind, message) = match *state {
            SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => (
                Denied,
                format!(
                    "the PostgreSQL server {server} does not accept this user and password ({code}): check both in the URL, and \
                 `pg_hba.conf` there"
                ),
            ),
            SqlState::INVALID_CATALOG_NAME => (
                Denied,
                format!(
                    "there is no such database on the PostgreSQL server {server} ({code}): make it with `createdb`, or name \
                 another one in the URL"
                ),
            ),
            SqlState::INVALID_SCHEMA_NAME => (
                Denied,
                format!(
                    "there is no schema for table {table} on {server} ({code}): make it with `CREATE SCHEMA`, or name another one"
                ),
            ),
            SqlState::READ_ONLY_SQL_TRANSACTION => (Denied, self.read_only()),
            SqlState::INSUFFICIENT_PRIVILEGE => (
                Denied,
                format!(
                    "this user may not use table {table} on {server} ({code}): grant SELECT, INSERT, UPDATE and DELETE on it; \
                 to make it, USAGE and CREATE on its schema"
                ),
            ),
            SqlState::PROTOCOL_VIOLATION if message.contains("startup parameter") => (
                Denied,
                format!(
                    "what answers at {server} takes no options of a session ({code}): connect to the server itself, or let \
                 PgBouncer pool sessions and set `ignore_startup_parameters = options` in it"
                ),
            ),
            SqlState::DISK_FULL => {
                (Full, format!("the PostgreSQL server {server} has no room left ({code}): make room there"))
            }
            SqlState::TOO_MANY_CONNECTIONS => (
                Unavailable,
                format!(
                    "the PostgreSQL server {server} has no connection left ({code}): lower `pool_size`, or raise \
                 `max_connections` there"
                ),
            ),
            SqlState::QUERY_CANCELED | SqlState::LOCK_NOT_AVAILABLE => (
                TimedOut,
                format!(
                    "the PostgreSQL server {server} gave a statement up, which took too long ({code}): see what it waits for in \
                 `pg_stat_activity`"
                ),
            ),
            SqlState::T_R_DEADLOCK_DETECTED | SqlState::T_R_SERIALIZATION_FAILURE => (
                Unavailable,
                format!(
                    "the PostgreSQL server {server} gave a statement up, which got into the way of others ({code}): try again"
                ),
            ),
            SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN | SqlState::DATATYPE_MISMATCH => (
                Corrupt,
                format!(
                    "table {table} on {server} is not there any more, or not as it was made ({code}): restore a copy, and open \
                 the storage anew"
                ),
            ),
            SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => (
                Unavailable,
                format!(
                    "the PostgreSQL server {server} is going down or coming up ({code}): try again; a write may have been done"
                ),
            ),
            _ if code.starts_with("08") || code.starts_with("53") || code.starts_with("57") => (
                Unavailable,
                format!("the PostgreSQL server {server} cannot serve just now ({code}): try again, and see its log"),
            ),
            _ => (Other, format!("the PostgreSQL server {server} refused a statement ({code}): see its log")),
        };
        StorageError::new(kind, message)
    }

    /// What to do where nothing may be written.
    pub(super) fn read_only(&self) -> String {
        format!(
            "the PostgreSQL server {} takes no writes, as a replica does not: name the primary in the URL, or all hosts and \
             `target_session_attrs=read-write`",
            self.server
        )
    }

    /// Something took longer than it may.
    pub(super) fn late(&self, what: Wait, deadline: Duration) -> StorageError {
        let (server, milliseconds) = (&self.server, deadline.as_millis());
        let message = match what {
            Wait::Connection => format!(
                "the PostgreSQL server {server} opened no connection within {milliseconds} ms: check that it runs, and \
                 that this machine may reach it"
            ),
            Wait::Pool => format!(
                "all connections to the PostgreSQL server {server} were in use, and none became free within \
                 {milliseconds} ms: raise `pool_size`"
            ),
            Wait::Statement => format!(
                "the PostgreSQL server {server} did not answer within {milliseconds} ms: see what it waits for in \
                 `pg_stat_activity`; a write may have been done"
            ),
        };
        StorageError::new(StorageErrorKind::TimedOut, message)
    }

    /// A row is not what was written.
    pub(super) fn flawed(&self) -> StorageError {
        let message = format!(
            "a record in table {} on {} is not one that Steadfast wrote: correct its row, or erase the user",
            self.table, self.server
        );
        StorageError::new(StorageErrorKind::Corrupt, message)
    }
}

/// The error of TLS inside one of a connection.
fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Whether a statement failed for what was in it, so that another one may do better.
pub(super) fn is_of_its_own(error: &StorageError) -> bool {
    error.kind() == StorageErrorKind::Other
}
