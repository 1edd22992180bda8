//! The table, and how it comes to be what this version works with: by numbered steps, each applied once.

use tokio_postgres::Client;

use super::failure::Shown;
use crate::error::{StorageError, StorageErrorKind};

/// Where records are kept.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) schema: String,
    pub(super) name: String,
    /// Whether the server has partitions by hash.
    pub(super) is_partitioned: bool,
}

/// The steps, the first of which makes the table. A step that was released is never changed.
const MIGRATIONS: [fn(&Table) -> String; 1] = [first];

/// As many as a large server has cores for: each has an index of its own, which writers do not wait for each other in.
const PARTITIONS: usize = 16;

fn first(table: &Table) -> String {
    let name = table.quoted();
    // A server that does not know partitions may not know this order either, and has no other one.
    let bytes = if table.is_partitioned { " COLLATE \"C\"" } else { "" };
    let mut sql = format!(
        "CREATE TABLE {name} (user_id text{bytes} NOT NULL, campaign_key text{bytes} NOT NULL, \
         variation_name text{bytes} NOT NULL, goals text{bytes} NOT NULL, activated bool NOT NULL, \
         meta_data text{bytes}, long_user_id text{bytes}, long_campaign_key text{bytes}, \
         PRIMARY KEY (user_id, campaign_key))"
    );
    if table.is_partitioned {
        sql += " PARTITION BY HASH (user_id)";
        for number in 0..PARTITIONS {
            let part = table.with_suffix(&format!("_{number}"));
            sql += &format!(
                "; CREATE TABLE {part} PARTITION OF {name} FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {number})"
            );
        }
    }
    sql
}

impl Table {
    /// The name as it is written in a statement.
    pub(super) fn quoted(&self) -> String {
        self.with_suffix("")
    }

    fn with_suffix(&self, suffix: &str) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&format!("{}{suffix}", self.name)))
    }

    fn versions(&self) -> String {
        self.with_suffix("_version")
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What was found.
enum Found {
    /// Nothing.
    Nothing,
    /// A table with so many migrations.
    Version(usize),
    /// Something of another program.
    Foreign,
}

/// Sees that nothing is missing, and changes nothing.
///
/// # Errors
/// As for [`migrate`], and [`StorageErrorKind::Denied`] when something is missing.
pub(super) async fn look(client: &Client, table: &Table, shown: &Shown) -> Result<(), StorageError> {
    let found = found(client, table, shown).await?;
    let is_there = !matches!(found, Found::Nothing);
    if missing(found, table, shown)?.is_empty() {
        return Ok(());
    }
    let (name, server) = (table.quoted(), &shown.server);
    let message = if is_there {
        format!("table `{name}` on {server} is of an older version: the first who writes brings it to this one")
    } else {
        format!("there is no table `{name}` on {server}: check the database; the first who writes makes it")
    };
    Err(StorageError::new(StorageErrorKind::Denied, message))
}

/// Applies what is missing. Of several processes that do so at once, one does.
///
/// # Errors
/// [`StorageErrorKind::NewerFormat`] when the table is of a newer version; [`StorageErrorKind::Denied`] when it is of
/// another program, or may not be made; whatever the server says besides. Then nothing was changed.
pub(super) async fn migrate(client: &Client, table: &Table, shown: &Shown) -> Result<(), StorageError> {
    // Without a lock: whoever finds everything in order needs no right to make tables.
    if missing(found(client, table, shown).await?, table, shown)?.is_empty() {
        return Ok(());
    }
    let run = async |sql: String| client.batch_execute(&sql).await.map_err(|error| shown.error(error));
    run("BEGIN".to_owned()).await?;
    let lock = "SELECT pg_advisory_xact_lock(hashtext('steadfast migration ' || $1)::bigint)";
    client.execute(lock, &[&table.quoted()]).await.map_err(|error| shown.error(error))?;
    let missing = missing(found(client, table, shown).await?, table, shown)?;
    let versions = table.versions();
    for version in missing {
        if version == 1 {
            run(format!("CREATE TABLE {versions} (version int PRIMARY KEY, applied_at timestamptz NOT NULL)")).await?;
        }
        run(MIGRATIONS[version - 1](table)).await?;
        run(format!("INSERT INTO {versions} (version, applied_at) VALUES ({version}, now())")).await?;
    }
    // Without this the connection takes the transaction with it.
    run("COMMIT".to_owned()).await
}

/// The numbers of the steps that are missing.
fn missing(found: Found, table: &Table, shown: &Shown) -> Result<std::ops::RangeInclusive<usize>, StorageError> {
    let (name, server, newest) = (table.quoted(), &shown.server, MIGRATIONS.len());
    match found {
        Found::Nothing => Ok(1..=newest),
        Found::Version(version) if version > newest => Err(StorageError::new(
            StorageErrorKind::NewerFormat,
            format!(
                "table `{name}` on {server} has version {version}, and this Steadfast knows {newest}: use a newer Steadfast"
            ),
        )),
        Found::Version(version) => Ok(version + 1..=newest),
        Found::Foreign => Err(StorageError::new(
            StorageErrorKind::Denied,
            format!(
                "table `{name}` or `{}` on {server} is of another program: name another table or schema for Steadfast",
                table.versions()
            ),
        )),
    }
}

async fn found(client: &Client, table: &Table, shown: &Shown) -> Result<Found, StorageError> {
    // What columns there are tells whose the tables are. A name that is no table, a view or an index, has others or none.
    let columns = "SELECT class.relname::text, array_agg(attribute.attname::text) \
                   FROM pg_catalog.pg_class AS class \
                   JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace \
                   LEFT JOIN pg_catalog.pg_attribute AS attribute \
                   ON attribute.attrelid = class.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped \
                   WHERE namespace.nspname = $1 AND class.relname IN ($2, $3) GROUP BY class.relname";
    let versions = format!("{}_version", table.name);
    let rows = client.query(columns, &[&table.schema, &table.name, &versions]).await;
    let rows = rows.map_err(|error| shown.error(error))?;
    let columns_of = |name: &str| {
        let row = rows.iter().find(|row| row.try_get::<_, &str>(0).is_ok_and(|found| found == name))?;
        Some(row.try_get::<_, Vec<Option<String>>>(1).unwrap_or_default())
    };
    let has = |columns: &[Option<String>], wanted: &str| columns.iter().flatten().any(|column| column == wanted);
    let (of_table, of_versions) = (columns_of(&table.name), columns_of(&versions));
    let (Some(of_table), Some(of_versions)) = (&of_table, &of_versions) else {
        return Ok(if of_table.is_none() && of_versions.is_none() { Found::Nothing } else { Found::Foreign });
    };
    if !["version", "applied_at"].iter().all(|wanted| has(of_versions, wanted)) {
        return Ok(Found::Foreign);
    }
    let newest = format!("SELECT max(version)::int FROM {}", table.versions());
    let newest = client.query_one(&newest, &[]).await.map_err(|error| shown.error(error))?;
    let version = newest.try_get::<_, Option<i32>>(0).ok().flatten();
    let version = version.and_then(|version| usize::try_from(version).ok()).filter(|version| *version > 0);
    // A newer version may have other columns.
    let is_ours = |version| {
        let columns = ["user_id", "campaign_key", "variation_name", "goals", "activated", "meta_data"];
        version > MIGRATIONS.len() || columns.iter().all(|wanted| has(of_table, wanted))
    };
    Ok(version.filter(|version| is_ours(*version)).map_or(Found::Foreign, Found::Version))
}
