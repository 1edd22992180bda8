//! `cargo bench -p steadfast-testkit --features golden --bench postgres`: what the storage on a PostgreSQL server costs in
//! units of its client alone, in turns on one machine, 64 calls at once.
//!
//! It starts a server of its own, which commits to the disk as servers do. `STEADFAST_POSTGRES=postgres://…` names another
//! one: then it fills the table `steadfast_bench` there, and empties it first.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints what it measured")]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use steadfast_engine::Record;
use steadfast_storage::{AsyncUserStorage, Claim, Condition, PostgresOptions, PostgresStorage};
use steadfast_testkit::servers::Postgres;
use tokio_postgres::NoTls;

const AT_ONCE: usize = 64;
const CALLS: usize = 4_000;
const ROUNDS: usize = 7;
const BATCH: usize = 100;
const STORED: usize = 20_000;

/// The raw client sends what a storage at least has to: one look-up by key, one insert, one insert of many.
const GET: &str = "SELECT variation_name, goals, activated, meta_data FROM steadfast_bench \
                   WHERE user_id = $1 AND campaign_key = 'ab'";
const CLAIM: &str = "INSERT INTO steadfast_bench (user_id, campaign_key, variation_name, goals, activated) \
                     VALUES ($1, 'ab', 'Control', '', true) ON CONFLICT DO NOTHING";
const CLAIM_MANY: &str = "INSERT INTO steadfast_bench (user_id, campaign_key, variation_name, goals, activated) \
                          SELECT unnest($1::text[]), 'ab', 'Control', '', true ON CONFLICT DO NOTHING";

fn main() {
    let own = std::env::var("STEADFAST_POSTGRES").is_err().then(Postgres::start);
    let url = own.as_ref().map_or_else(|| std::env::var("STEADFAST_POSTGRES").unwrap(), Postgres::database);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(&url));
}

async fn measure(url: &str) {
    let options = PostgresOptions { table: "steadfast_bench".into(), ..PostgresOptions::default() };
    let size = options.pool_size;
    let ours = Arc::new(PostgresStorage::open(url, options).await.unwrap());
    let settings = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(url.parse().unwrap(), NoTls, settings);
    let raw = Pool::builder(manager).max_size(size).build().unwrap();
    raw.get().await.unwrap().batch_execute("TRUNCATE steadfast_bench").await.unwrap();
    for start in (0..STORED).step_by(BATCH) {
        let claims = (start..start + BATCH).map(|number| claim(format!("there-{number}"))).collect();
        assert!(ours.merge_many(claims).await.iter().all(Result::is_ok));
    }
    let new = Arc::new(AtomicUsize::new(0));
    let next = move || format!("new-{}", new.fetch_add(1, Ordering::Relaxed));

    println!("{CALLS} calls, {AT_ONCE} at once, {size} connections: calls per second, medians of {ROUNDS}");
    let (storage, pool) = (Arc::clone(&ours), raw.clone());
    compare(
        "get",
        CALLS,
        move |number| {
            let storage = Arc::clone(&storage);
            async move { assert!(storage.get(&there(number), "ab").await.unwrap().is_some()) }
        },
        move |number| {
            let pool = pool.clone();
            async move {
                let client = pool.get().await.unwrap();
                let get = client.prepare_cached(GET).await.unwrap();
                assert!(client.query_opt(&get, &[&there(number)]).await.unwrap().is_some());
            }
        },
    )
    .await;
    let (storage, pool, of_ours, of_raw) = (Arc::clone(&ours), raw.clone(), next.clone(), next.clone());
    compare(
        "merge / insert",
        CALLS,
        move |_| {
            let (storage, user) = (Arc::clone(&storage), of_ours());
            async move { drop(storage.merge(claim(user)).await.unwrap()) }
        },
        move |_| {
            let (pool, user) = (pool.clone(), of_raw());
            async move {
                let client = pool.get().await.unwrap();
                let insert = client.prepare_cached(CLAIM).await.unwrap();
                assert_eq!(client.execute(&insert, &[&user]).await.unwrap(), 1);
            }
        },
    )
    .await;
    let (of_ours, of_raw) = (next.clone(), next);
    compare(
        &format!("merge_many / insert of {BATCH}"),
        CALLS / BATCH * 4,
        move |_| {
            let (storage, claims) = (Arc::clone(&ours), (0..BATCH).map(|_| claim(of_ours())).collect());
            async move { assert!(storage.merge_many(claims).await.iter().all(Result::is_ok)) }
        },
        move |_| {
            let (pool, users) = (raw.clone(), (0..BATCH).map(|_| of_raw()).collect::<Vec<_>>());
            async move {
                let client = pool.get().await.unwrap();
                let insert = client.prepare_cached(CLAIM_MANY).await.unwrap();
                assert_eq!(client.execute(&insert, &[&users]).await.unwrap(), BATCH as u64);
            }
        },
    )
    .await;
}

fn there(number: usize) -> String {
    format!("there-{}", number * 7_919 % STORED)
}

fn claim(user: String) -> Claim {
    let record = Record::new(user, "ab", "Control");
    Claim { record, goal: None, condition: Condition::Absent, was_read: false }
}

async fn compare<O, R>(name: &str, calls: usize, ours: impl Fn(usize) -> O, raw: impl Fn(usize) -> R)
where
    O: Future<Output = ()> + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let (mut of_ours, mut of_raw) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        of_ours.push(rate(calls, &ours).await);
        of_raw.push(rate(calls, &raw).await);
    }
    let quotient = median(of_raw.iter().zip(&of_ours).map(|(raw, ours)| raw / ours).collect());
    println!("{name:30} ours {:>8.0}  raw {:>8.0}  times as long {quotient:.2}", median(of_ours), median(of_raw));
}

/// Calls per second, so many at once.
async fn rate<F: Future<Output = ()> + Send + 'static>(calls: usize, call: &impl Fn(usize) -> F) -> f64 {
    let started = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for number in 0..calls {
        if running.len() == AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(call(number));
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
    calls as f64 / started.elapsed().as_secs_f64()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
