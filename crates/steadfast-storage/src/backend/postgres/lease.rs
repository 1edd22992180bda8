//! A connection of the pool for one call, and the deadlines of that.

use std::time::Duration;

use deadpool_postgres::{Object, Pool, PoolError, TimeoutType, Timeouts};
use tokio::time::{Instant, timeout_at};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::failure::{Shown, Wait};
use super::options::PostgresOptions;
use crate::error::StorageError;

/// What a statement is given.
pub(super) type Given<'g> = [&'g (dyn ToSql + Sync)];

/// A connection for one call.
pub(super) struct Lease<'s> {
    /// Always there; taken when dropped.
    connection: Option<Object>,
    /// Whether it waits for nothing, so that somebody else may have it.
    is_at_rest: bool,
    shown: &'s Shown,
    deadline: Duration,
    end: Instant,
}

impl<'s> Lease<'s> {
    /// Takes a connection, or opens one. The deadline of the call's statements begins when it is there.
    ///
    /// # Errors
    /// When none was free or open in time, or none can be opened.
    pub(super) async fn new(pool: &Pool, options: &PostgresOptions, shown: &'s Shown) -> Result<Self, StorageError> {
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
        Ok(Lease { connection: Some(connection), is_at_rest: true, shown, deadline, end: Instant::now() + deadline })
    }

    /// The rows that a statement answers.
    ///
    /// # Errors
    /// When it fails, or has no answer in time.
    pub(super) async fn query(&mut self, statement: &str, given: &Given<'_>) -> Result<Vec<Row>, StorageError> {
        self.is_at_rest = false;
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
        self.is_at_rest = false;
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
                self.is_at_rest = true;
                Ok(done)
            }
            Ok(Err(error)) => {
                // After these the connection is as good as before. Others may come from what it is connected to.
                self.is_at_rest = matches!(
                    error.code(),
                    Some(
                        &SqlState::QUERY_CANCELED
                            | &SqlState::LOCK_NOT_AVAILABLE
                            | &SqlState::T_R_DEADLOCK_DETECTED
                            | &SqlState::T_R_SERIALIZATION_FAILURE
                    )
                );
                Err(self.shown.error(error))
            }
            Err(_) => Err(self.shown.late(Wait::Statement, self.deadline)),
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(|_| !self.is_at_rest) {
            // Out of the pool, which closes it.
            drop(Object::take(connection));
        }
    }
}
