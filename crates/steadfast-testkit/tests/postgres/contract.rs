//! The contract of a built-in storage.

use std::sync::Arc;

use steadfast_storage::bridge::Waited;
use steadfast_storage::{PostgresOptions, PostgresStorage};
use steadfast_testkit::conformance;

use super::{PATIENCE, open, patient, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_kept() {
    let server = server();
    conformance::built_in_async(Arc::new(open(&server.database()).await)).await.assert();
}

#[tokio::test]
async fn it_is_kept_in_a_runtime_of_one_thread_over_two_connections() {
    let server = server();
    let options = PostgresOptions { pool_size: 2, batch: 3, ..patient() };
    let storage = PostgresStorage::open(&server.database(), options).await.unwrap();
    conformance::built_in_async(Arc::new(storage)).await.assert();
}

#[test]
fn it_is_kept_by_a_storage_that_is_waited_for() {
    let server = server();
    // The runtime that it is opened in is gone when it is used.
    let opened = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let storage = opened.block_on(open(&server.database()));
    drop(opened);
    conformance::built_in(&Waited::new(storage, PATIENCE).unwrap()).assert();
}
