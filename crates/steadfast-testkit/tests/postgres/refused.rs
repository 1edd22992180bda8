//! What cannot be opened: each for its own reason, in words that say what to do.

use std::net::TcpListener;

use steadfast_engine::Record;
use steadfast_storage::{AsyncUserStorage, PostgresOptions, PostgresStorage, StorageErrorKind};
use steadfast_testkit::servers::Postgres;

use super::{check, open, patient, refused, server, until};

#[tokio::test]
async fn a_wrong_password_or_user() {
    let server = server();
    let url = server.database();
    let wrong = refused(&url.replace("an%20open%20secret", "a%20guess")).await;
    check(&wrong, StorageErrorKind::Denied, &["user and password", "28P01", "pg_hba.conf"]);
    check(&refused(&url.replace("//ada:", "//eve:")).await, StorageErrorKind::Denied, &["user and password"]);
    let without = url.replace(":an%20open%20secret", "");
    check(&refused(&without).await, StorageErrorKind::Denied, &["put a password into it"]);
}

#[tokio::test]
async fn an_unknown_database() {
    let server = server();
    check(&refused(&server.url("nowhere")).await, StorageErrorKind::Denied, &["/nowhere", "createdb", "3D000"]);
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = refused(&format!("postgres://ada:x@127.0.0.1:{port}/app")).await;
    check(&error, StorageErrorKind::Unavailable, &[&format!("127.0.0.1:{port}/app"), "start it"]);
    let error = refused("postgres://ada:x@no-such-host.invalid/app").await;
    check(&error, StorageErrorKind::Unavailable, &["no-such-host.invalid:5432", "check host and port"]);
}

#[tokio::test]
async fn a_server_that_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let options = PostgresOptions { connect_deadline: std::time::Duration::from_millis(300), ..patient() };
    let error = PostgresStorage::open(&format!("postgres://ada:x@127.0.0.1:{port}/app"), options).await;
    check(&error.unwrap_err(), StorageErrorKind::TimedOut, &["within 300 ms", "check that it runs"]);
}

#[tokio::test]
async fn tls_that_is_demanded_and_not_there() {
    let server = server();
    for query in ["sslmode=require", "sslmode=verify-full&sslrootcert=system"] {
        let error = refused(&format!("{}?{query}", server.database())).await;
        check(&error, StorageErrorKind::Denied, &["has no TLS", "ssl = on", "sslmode=prefer"]);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted() {
    let server = Postgres::start_with_tls();
    let url = server.database();
    let root = server.root_certificate();
    let with = |query: String| format!("{url}?{query}");
    let rooted = |mode: &str| with(format!("sslmode={mode}&sslrootcert={}", root.display()));
    let private = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl \
                           AND application_name = 'steadfast'";
    for accepted in [url.clone(), with("sslmode=require".into()), rooted("verify-ca"), rooted("verify-full")] {
        let storage = open(&accepted).await;
        storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
        assert_eq!(server.ask(&url, private), "1", "{accepted} is private");
    }
    assert_eq!(server.ask(&url, "SELECT count(*) FROM steadfast_record"), "1");
    let plain = open(&with("sslmode=disable".into())).await;
    plain.get("Ashley", "ab").await.unwrap();
    assert_eq!(server.ask(&url, private), "0", "`disable` is not private");
    let strangers = refused(&with("sslmode=verify-full".into())).await;
    check(&strangers, StorageErrorKind::Denied, &["certificate", "sslrootcert"]);
    // It is for `localhost`.
    let other_name = |url: String| url.replace("@localhost", "@127.0.0.1");
    check(&refused(&other_name(rooted("verify-full"))).await, StorageErrorKind::Denied, &["certificate", "host"]);
    open(&other_name(rooted("verify-ca"))).await;
    let missing = refused(&with("sslmode=verify-ca&sslrootcert=/nowhere.pem".into())).await;
    check(&missing, StorageErrorKind::Denied, &["/nowhere.pem", "PEM"]);
}

#[tokio::test]
async fn a_table_of_a_newer_version() {
    let server = server();
    let url = server.database();
    open(&url).await.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
    let _ = server.ask(&url, "INSERT INTO steadfast_record_version VALUES (99, now())");
    let before = server.ask(&url, "SELECT * FROM steadfast_record, steadfast_record_version");
    check(&refused(&url).await, StorageErrorKind::NewerFormat, &["version 99", "use a newer Steadfast"]);
    assert_eq!(server.ask(&url, "SELECT * FROM steadfast_record, steadfast_record_version"), before);
}

#[tokio::test]
async fn a_table_of_another_program() {
    let server = server();
    for theirs in [
        "CREATE TABLE steadfast_record (song text)",
        "CREATE VIEW steadfast_record AS SELECT 1 AS user_id",
        "CREATE TABLE steadfast_record_version (song text)",
        "CREATE TABLE steadfast_record (song text); CREATE TABLE steadfast_record_version (version int, applied_at date)",
        "CREATE TABLE steadfast_record (song text); CREATE TABLE steadfast_record_version (version int, applied_at date); \
         INSERT INTO steadfast_record_version VALUES (1, now())",
    ] {
        let url = server.database();
        let _ = server.ask(&url, theirs);
        let tables = "SELECT count(*) FROM pg_class WHERE relname LIKE 'steadfast%'";
        let before = server.ask(&url, tables);
        check(&refused(&url).await, StorageErrorKind::Denied, &["of another program", "name another table"]);
        assert_eq!(server.ask(&url, tables), before, "{theirs}");
        let options = PostgresOptions { table: "ours \"here\"".into(), ..patient() };
        let storage = PostgresStorage::open(&url, options).await.unwrap();
        storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
        assert_eq!(server.ask(&url, "SELECT count(*) FROM \"ours \"\"here\"\"\""), "1");
    }
}

#[tokio::test]
async fn a_server_that_takes_no_writes() {
    let server = server();
    let url = server.database();
    let storage = open(&url).await;
    let database = url.rsplit('/').next().unwrap();
    let _ = server.ask(&url, &format!("ALTER DATABASE {database} SET default_transaction_read_only = on"));
    let says = ["takes no writes", "name the primary", "target_session_attrs=read-write"];
    check(&refused(&url).await, StorageErrorKind::Denied, &says);
    let of_several = refused(&format!("{url}?target_session_attrs=read-write")).await;
    check(&of_several, StorageErrorKind::Denied, &says);
    let write = storage.set(Record::new("Ashley", "ab", "Control")).await;
    check(&write.unwrap_err(), StorageErrorKind::Denied, &says);
    // It may be a replica that is behind, so it is not read either.
    check(&storage.get("Ashley", "ab").await.unwrap_err(), StorageErrorKind::Denied, &says);
    let _ = server.ask("postgres", &format!("ALTER DATABASE {database} SET default_transaction_read_only = off"));
    storage.set(Record::new("Ashley", "ab", "Control")).await.expect("it goes on by itself");
}

#[tokio::test]
async fn a_replica() {
    let server = server();
    let url = server.database();
    open(&url).await.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
    let replica = server.start_replica();
    let of_replica = replica.url(url.rsplit('/').next().unwrap());
    let says = ["takes no writes", "name the primary", "target_session_attrs=read-write"];
    check(&refused(&of_replica).await, StorageErrorKind::Denied, &says);
    // Who only reads what is there may.
    let existing = || PostgresOptions { existing: true, ..patient() };
    let reader = PostgresStorage::open(&of_replica, existing()).await.unwrap();
    until(&replica, &of_replica, "SELECT count(*) FROM steadfast_record", "1").await;
    assert!(reader.get("Ashley", "ab").await.unwrap().is_some());
    let empty = server.database();
    let nothing = PostgresStorage::open(&empty, existing()).await.unwrap_err();
    check(&nothing, StorageErrorKind::Denied, &["there is no table", "check the database"]);
    assert_eq!(server.ask(&empty, "SELECT count(*) FROM pg_class WHERE relname LIKE 'steadfast%'"), "0");
    // Of both, whichever is named first, the one that takes writes is found.
    let host = |url: &str| url.rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned();
    let both = url.replace(&host(&url), &format!("{},{}", host(&of_replica), host(&url)));
    let storage = open(&format!("{both}?target_session_attrs=read-write")).await;
    storage.set(Record::new("Ben", "ab", "Control")).await.unwrap();
    until(&replica, &of_replica, "SELECT count(*) FROM steadfast_record", "2").await;
}

#[tokio::test]
async fn a_replica_that_is_behind_is_not_asked_where_the_primary_is_gone() {
    let mut primary = Postgres::start();
    let url = primary.database();
    open(&url).await;
    let replica = primary.start_replica();
    let of_replica = replica.url(url.rsplit('/').next().unwrap());
    let host = |url: &str| url.rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned();
    let storage = open(&url.replace(&host(&url), &format!("{},{}", host(&url), host(&of_replica)))).await;
    until(&replica, &of_replica, "SELECT count(*) FROM steadfast_record", "0").await;
    let _ = replica.ask(&of_replica, "SELECT pg_wal_replay_pause()");
    storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
    primary.kill();
    for _ in 0..3 {
        assert!(storage.get("Ashley", "ab").await.is_err(), "a replica that is behind said that there is nothing");
    }
}

#[tokio::test]
async fn a_host_that_says_nothing_keeps_nobody_from_the_next() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = server();
    let url = server.database();
    let (before, after) = url.split_once('@').unwrap();
    let both = format!("{before}@{},{after}", silent.local_addr().unwrap());
    let storage = open(&both).await;
    storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_text() {
    let server = server();
    let _ = server.ask("postgres", "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1'");
    check(&refused(&server.url("latin")).await, StorageErrorKind::Denied, &["LATIN1", "--encoding UTF8"]);
}

#[tokio::test]
async fn a_schema_that_is_not_there() {
    let server = server();
    let url = server.database();
    let options = PostgresOptions { schema: Some("ours".into()), ..patient() };
    let error = PostgresStorage::open(&url, options.clone()).await.unwrap_err();
    check(&error, StorageErrorKind::Denied, &["CREATE SCHEMA", "3F000"]);
    let _ = server.ask(&url, "CREATE SCHEMA ours");
    let storage = PostgresStorage::open(&url, options).await.unwrap();
    storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
    assert_eq!(server.ask(&url, "SELECT count(*) FROM ours.steadfast_record"), "1");
}

#[tokio::test]
async fn a_user_without_rights() {
    let server = server();
    let url = server.database();
    let database = url.rsplit('/').next().unwrap();
    let guest = format!("guest_{database}");
    let _ = server.ask(&url, &format!("CREATE ROLE {guest} LOGIN PASSWORD 'x'"));
    let as_guest = format!("postgres://{guest}:x@localhost:{}/{database}", server.port());
    let says = ["42501", "grant SELECT, INSERT, UPDATE and DELETE"];
    check(&refused(&as_guest).await, StorageErrorKind::Denied, &says);
    open(&url).await;
    check(&refused(&as_guest).await, StorageErrorKind::Denied, &says);
    let grant = format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON steadfast_record TO {guest}; \
         GRANT SELECT ON steadfast_record_version TO {guest}"
    );
    let _ = server.ask(&url, &grant);
    let storage = open(&as_guest).await;
    storage.set(Record::new("Ashley", "ab", "Control")).await.expect("it needs no right to make tables");
    let _ = server.ask(&url, &format!("ALTER ROLE {guest} CONNECTION LIMIT 0"));
    let error = refused(&as_guest).await;
    check(&error, StorageErrorKind::Unavailable, &["53300", "lower `pool_size`"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_open_it_at_once_one_makes_the_table() {
    let server = server();
    let url = server.database();
    let mut running = tokio::task::JoinSet::new();
    for number in 0..8 {
        let url = url.clone();
        running.spawn(async move {
            let storage = open(&url).await;
            storage.set(Record::new(format!("user-{number}"), "ab", "Control")).await.unwrap();
        });
    }
    running.join_all().await;
    assert_eq!(server.ask(&url, "SELECT version FROM steadfast_record_version"), "1");
    assert_eq!(server.ask(&url, "SELECT count(*) FROM steadfast_record"), "8");
    let parts = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'steadfast_record'::regclass";
    assert_eq!(server.ask(&url, parts), "16");
}
