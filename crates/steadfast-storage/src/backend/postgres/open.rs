//! Opening: the server is looked at over a connection of its own, which ends with that. So the connections of the pool
//! belong to the runtime that they are first used in, and not to the one that opens the storage.

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::Client;

use super::failure::{Shown, Wait};
use super::hosts::Hosts;
use super::migrate::{self, Table};
use super::options::PostgresOptions;
use super::tls::Tls;
use super::url::Target;
use crate::error::{StorageError, StorageErrorKind};

/// A server that was looked at.
pub(super) struct Opened {
    pub(super) pool: Pool,
    pub(super) hosts: Hosts,
    pub(super) shown: Shown,
    /// The table's name, as it is written in a statement.
    pub(super) table: String,
}

/// # Errors
/// As for `PostgresStorage::open`.
pub(super) async fn open(url: &str, options: &PostgresOptions) -> Result<Opened, StorageError> {
    let target = Target::parse(url, options)?;
    let hosts = Hosts::new(target.configs, Tls::new(&target.trust)?, options.connect_deadline);
    let mut shown = Shown { server: target.shown, table: format!("`{}`", options.table) };
    let connect = timeout(options.connect_deadline, hosts.connect()).await;
    let (client, connection) = connect
        .map_err(|_| shown.late(Wait::Connection, options.connect_deadline))?
        .map_err(|error| shown.error(error))?;
    // The connection ends with this, also where the opening is given up.
    let mut driven = JoinSet::new();
    driven.spawn(connection);
    let table = timeout(options.statement_deadline, prepared(&client, options, &shown)).await;
    let table = table.map_err(|_| shown.late(Wait::Statement, options.statement_deadline))??;
    drop(client);
    driven.detach_all();
    shown.table = format!("`{}.{}`", table.schema, table.name);
    let settings = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    // The first argument is for those who make connections of it, which the hosts do not.
    let pool = Pool::builder(Manager::from_connect(tokio_postgres::Config::new(), hosts.clone(), settings))
        .max_size(options.pool_size.max(1))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| StorageError::new(StorageErrorKind::Other, "the pool cannot be made").with_source(error))?;
    Ok(Opened { pool, hosts, shown, table: table.quoted() })
}

/// Sees what the server is, and that the table is there.
async fn prepared(client: &Client, options: &PostgresOptions, shown: &Shown) -> Result<Table, StorageError> {
    let about = "SELECT current_setting('server_encoding'), current_setting('transaction_read_only'), \
                 current_schema()::text, version() LIKE 'PostgreSQL %' \
                 AND current_setting('server_version_num')::int >= 110000";
    let about = client.query_one(about, &[]).await.map_err(|error| shown.error(error))?;
    let text = |column| about.try_get::<_, Option<String>>(column).ok().flatten().unwrap_or_default();
    let denied = |message| StorageError::new(StorageErrorKind::Denied, message);
    if text(0) != "UTF8" {
        return Err(denied(format!(
            "database {} has the encoding {}, which cannot hold every text: make one with `createdb --encoding UTF8 \
             --template template0`",
            shown.server,
            text(0)
        )));
    }
    if text(1) == "on" && !options.existing {
        return Err(denied(shown.read_only()));
    }
    let schema = options.schema.clone().unwrap_or_else(|| text(2));
    if schema.is_empty() {
        return Err(denied(format!(
            "there is no schema for table {} on {}: make one of its `search_path`, or name one",
            shown.table, shown.server
        )));
    }
    let table = Table { schema, name: options.table.clone(), is_partitioned: about.try_get(3).unwrap_or(false) };
    if options.existing {
        migrate::look(client, &table, shown).await?;
    } else {
        migrate::migrate(client, &table, shown).await?;
    }
    Ok(table)
}
