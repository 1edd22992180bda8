//! A connection of the pool for one call, and the deadlines of that.

use std::time::Duration;

use deadpool_postgres::{Object, PoolError, TimeoutType, Timeouts};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::failure::{Shown, Wait};
use super::hosts::Hosts;
use super::open::Opened;
use super::options::PostgresOptions;
use super::tls::Tls;
use crate::error::StorageError;

/// What a statement is given.
pub(super) type Given<'g> = [&'g (dyn ToSql + Sync)];

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing, so that somebody else may have it.
    AtRest,
    /// A statement, whose answer is not there.
    Asked,
    /// It is of no use any more.
    Broken,
}

/// A connection for one call.
pub(super) struct Lease<'s> {
    /// Always there; taken when dropped.
    connection: Option<Object>,
    state: State,
    hosts: &'s Hosts,
    shown: &'s Shown,
    deadline: Duration,
    end: Instant,
}

impl<'s> Lease<'s> {
    /// Takes a connection, or opens one. The deadline of the call's statements begins when it is there.
    ///
    /// # Errors
    /// When none was free or open in time, or none can be opened.
    pub(super) async fn new(opened: &'s Opened, options: &PostgresOptions) -> Result<Self, StorageError> {
        let Opened { pool, hosts, shown, table: _ } = opened;
        let (wait, connect) = (options.pool_deadline, options.connect_deadline);
        let timeouts = Timeouts { wait: Some(wait), create: Some(connect), recycle: Some(connect) };
        let connection = pool.timeout_get(&timeouts).await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => shown.late(Wait::Pool, wait),
            PoolError::Backend(error) => shown.error(error),
            // No hook is set, the runtime is, and the pool is closed by nobody.
            PoolError::Timeout(_)
            | PoolError::Closed
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_) => shown.late(Wait::Connection, connect),
        })?;
        let deadline = options.statement_deadline;
        let end = Instant::now() + deadline;
        Ok(Lease { connection: Some(connection), state: State::AtRest, hosts, shown, deadline, end })
    }

    /// The rows that a statement answers.
    ///
    /// # Errors
    /// When it fails, or has no answer in time.
    pub(super) async fn query(&mut self, statement: &str, given: &Given<'_>) -> Result<Vec<Row>, StorageError> {
        self.state = State::Asked;
        let connection = self.connection()?;
        let answer = timeout_at(self.end, async {
            let prepared = connection.prepare_cached(statement).await?;
            connection.query(&prepared, given).await
        });
        let answer = answer.await;
        self.rest(answer)
    }

    /// How many rows a statement changes.
    ///
    /// # Errors
    /// As for [`query`](Self::query).
    pub(super) async fn execute(&mut self, statement: &str, given: &Given<'_>) -> Result<u64, StorageError> {
        self.state = State::Asked;
        let connection = self.connection()?;
        let answer = timeout_at(self.end, async {
            let prepared = connection.prepare_cached(statement).await?;
            connection.execute(&prepared, given).await
        });
        let answer = answer.await;
        self.rest(answer)
    }

    /// The server, for errors.
    pub(super) fn shown(&self) -> &'s Shown {
        self.shown
    }

    fn connection(&self) -> Result<&Object, StorageError> {
        self.connection.as_ref().ok_or_else(|| self.shown.late(Wait::Statement, self.deadline))
    }

    /// The answer is there. A call that is given up before that leaves a connection behind that nobody else gets.
    fn rest<R>(
        &mut self,
        answer: Result<Result<R, tokio_postgres::Error>, tokio::time::error::Elapsed>,
    ) -> Result<R, StorageError> {
        match answer {
            Ok(Ok(done)) => {
                self.state = State::AtRest;
                Ok(done)
            }
            Ok(Err(error)) => {
                // After these the connection is as good as before. Others may come from what it is connected to.
                let is_at_rest = matches!(
                    error.code(),
                    Some(
                        &SqlState::QUERY_CANCELED
                            | &SqlState::LOCK_NOT_AVAILABLE
                            | &SqlState::T_R_DEADLOCK_DETECTED
                            | &SqlState::T_R_SERIALIZATION_FAILURE
                    )
                );
                self.state = if is_at_rest { State::AtRest } else { State::Broken };
                Err(self.shown.error(error))
            }
            Err(_) => Err(self.shown.late(Wait::Statement, self.deadline)),
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        match (self.state, Handle::try_current()) {
            (State::AtRest, _) => {}
            // Its place in the pool stays taken meanwhile: others would open connections beside those of a slow server.
            (State::Asked, Ok(runtime)) if !connection.is_closed() => {
                runtime.spawn(come_to_rest(connection, self.hosts.tls().clone(), self.deadline));
            }
            // Out of the pool, which closes it.
            _ => drop(Object::take(connection)),
        }
    }
}

/// Has the server give up what nobody waits for any more, and closes the connection once that is answered.
///
/// It is not used again: sending the cancelling does not wait for the server to act on it, and one that comes late would
/// meet the statement of somebody else.
async fn come_to_rest(connection: Object, tls: Tls, patience: Duration) {
    let _ = timeout(patience, connection.cancel_token().cancel_query(tls)).await;
    let _ = timeout(patience, connection.simple_query("")).await;
    drop(Object::take(connection));
}
