//! `cargo bench -p steadfast-testkit --features golden --bench redis`: what a user takes in Redis, and what a call costs
//! beside the client library's own commands.
//!
//! It starts servers of its own, without files. `-- 1000000` fills them with as many users, 100,000 unless told otherwise.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{Script, cmd};
use steadfast_engine::{GoalList, Record};
use steadfast_storage::merge::{Claim, Condition};
use steadfast_storage::{AsyncUserStorage, RedisOptions, RedisStorage};
use steadfast_testkit::servers::Redis;

const ROUNDS: usize = 9;
const CALLS: usize = 40_000;
/// So many calls are under way on the one connection.
const TOGETHER: usize = 64;

/// What users look like.
#[derive(Clone, Copy)]
struct Shape {
    id: usize,
    campaigns: usize,
    goals: usize,
    /// What the keys begin with.
    prefix: &'static str,
    expires: bool,
    /// How long a value of the compact form may be.
    compact: usize,
}

const USUAL: Shape = Shape { id: 20, campaigns: 1, goals: 1, prefix: "steadfast:", expires: false, compact: 64 };

fn main() {
    let users = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        println!("{users} users each; bytes a user\n");
        println!(
            "      id campaigns  goals prefix  expires compact    used     rss    dump  by `MEMORY USAGE`  encoding"
        );
        for cluster in [false, true] {
            println!("{}", if cluster { "a node of a Cluster" } else { "one server" });
            let shapes = if cluster { vec![USUAL] } else { shapes() };
            for shape in shapes {
                size(shape, users, cluster).await;
            }
        }
        speed(users.min(200_000)).await;
    });
}

fn shapes() -> Vec<Shape> {
    vec![
        USUAL,
        Shape { campaigns: 5, ..USUAL },
        Shape { campaigns: 20, ..USUAL },
        Shape { goals: 0, ..USUAL },
        Shape { goals: 3, ..USUAL },
        Shape { goals: 5, ..USUAL },
        Shape { goals: 5, campaigns: 5, ..USUAL },
        Shape { goals: 5, compact: 512, ..USUAL },
        Shape { goals: 5, campaigns: 5, compact: 512, ..USUAL },
        Shape { id: 10, ..USUAL },
        Shape { id: 36, ..USUAL },
        Shape { id: 64, ..USUAL },
        Shape { prefix: "s:", ..USUAL },
        Shape { expires: true, ..USUAL },
    ]
}

async fn size(shape: Shape, users: usize, cluster: bool) {
    let (server, mut raw) = start(shape.compact, cluster).await;
    let empty = info(&mut raw, "used_memory").await;
    let empty_rss = info(&mut raw, "used_memory_rss").await;
    let url = if cluster { server.url().replace("redis:", "redis+cluster:") } else { server.url() };
    let storage = storage(&url, shape);
    fill(&storage, shape, users).await;
    let used = info(&mut raw, "used_memory").await - empty;
    let rss = info(&mut raw, "used_memory_rss").await - empty_rss;
    let key = format!("{}{{{}}}", shape.prefix, user(0, shape));
    let encoding: String = cmd("OBJECT").arg("ENCODING").arg(&key).query_async(&mut raw).await.unwrap();
    let one: usize = cmd("MEMORY").arg("USAGE").arg(&key).query_async(&mut raw).await.unwrap();
    let start = Instant::now();
    let () = cmd("SAVE").query_async(&mut raw).await.unwrap();
    let saved = start.elapsed();
    let dump = usize::try_from(std::fs::metadata(server.folder().join("dump.rdb")).unwrap().len()).unwrap();
    let Shape { id, campaigns, goals, prefix, expires, compact } = shape;
    println!(
        "{id:>8} {campaigns:>9} {goals:>6} {:>6} {expires:>8} {compact:>7} {:>7} {:>7} {:>7} {one:>18}  {encoding}, \
         dumped in {saved:.1?}",
        prefix.len(),
        used / users,
        rss / users,
        dump / users,
    );
}

async fn speed(users: usize) {
    let (server, raw) = start(64, false).await;
    let storage = storage(&server.url(), USUAL);
    fill(&storage, USUAL, users).await;
    println!("\ncalls, {TOGETHER} of them under way on one connection; medians of {ROUNDS}\n");
    let number = |round: usize, call: usize| (round * CALLS + call).wrapping_mul(7_919_993) % users;
    let get = async |round: usize| {
        many(CALLS, async |call| {
            let user = user(number(round, call), USUAL);
            assert!(storage.get(&user, &campaign(0)).await.unwrap().is_some());
        })
        .await
    };
    let raw_get = async |round: usize| {
        many(CALLS, async |call| {
            let key = format!("steadfast:{{{}}}", user(number(round, call), USUAL));
            let mut connection = raw.clone();
            let found: Vec<u8> = cmd("HGET").arg(key).arg(campaign(0)).query_async(&mut connection).await.unwrap();
            assert!(!found.is_empty());
        })
        .await
    };
    ratio("get / HGET of the client library", get, raw_get).await;
    let merge = async |round: usize| {
        many(CALLS, async |call| {
            let record = record(users + round * CALLS + call, 0, USUAL);
            storage.merge(claim(record)).await.unwrap();
        })
        .await
    };
    let raw_merge = async |round: usize| {
        many(CALLS, async |call| {
            let key = format!("raw:{{{}}}", user(users + round * CALLS + call, USUAL));
            let mut connection = raw.clone();
            let value = "1+11:Variation-112:bought-it-00";
            let set = cmd("HSETNX").arg(key).arg(campaign(0)).arg(value).query_async::<u8>(&mut connection).await;
            assert_eq!(set.unwrap(), 1);
        })
        .await
    };
    ratio("merge of a new user / HSETNX", merge, raw_merge).await;
    let script = Script::new("return redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])");
    let mut connection = raw.clone();
    script.prepare_invoke().load_async(&mut connection).await.unwrap();
    let digest = script.get_hash();
    let raw_script = async |round: usize| {
        many(CALLS, async |call| {
            let key = format!("raw2:{{{}}}", user(users + round * CALLS + call, USUAL));
            let mut connection = raw.clone();
            let value = "1+11:Variation-112:bought-it-00";
            let mut command = cmd("EVALSHA");
            command.arg(digest).arg(1).arg(key).arg(campaign(0)).arg(value);
            assert_eq!(command.query_async::<u8>(&mut connection).await.unwrap(), 1);
        })
        .await
    };
    let merge = async |round: usize| {
        many(CALLS, async |call| {
            let record = record(users + (ROUNDS + round) * CALLS + call, 0, USUAL);
            storage.merge(claim(record)).await.unwrap();
        })
        .await
    };
    ratio("merge of a new user / a script of one HSETNX", merge, raw_script).await;
    // As the clients and `write_behind` write: what waits goes together.
    let merge_many = async |round: usize| {
        let start = Instant::now();
        for first in (0..CALLS).step_by(TOGETHER) {
            let numbers = first..(first + TOGETHER).min(CALLS);
            let claims = numbers.map(|call| claim(record(users + (2 * ROUNDS + round) * CALLS + call, 0, USUAL)));
            let merged = storage.merge_many(claims.collect()).await;
            merged.into_iter().for_each(|merged| drop(merged.unwrap()));
        }
        start.elapsed()
    };
    let raw_script = async |round: usize| raw_script(ROUNDS + round).await;
    ratio("merges of new users, handed over together / scripts of one HSETNX", merge_many, raw_script).await;
    let busy = async |what: &str, command: &str| {
        let mut connection = raw.clone();
        let stats: String = cmd("INFO").arg("commandstats").query_async(&mut connection).await.unwrap();
        let line = stats.lines().find(|line| line.starts_with(&format!("cmdstat_{command}:"))).unwrap_or_default();
        println!("{what}: {line}");
    };
    busy("the server's own time", "hget").await;
    busy("the server's own time", "evalsha").await;
    let start = Instant::now();
    let (mut from, mut records) = (None, 0);
    loop {
        let page = storage.scan(from.as_ref(), 1_000).await.unwrap();
        records += page.records.len();
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    let taken = start.elapsed();
    println!("all of {records} records read in {taken:.1?}, {:.0} a second", per_second(records, taken));
}

async fn ratio(what: &str, ours: impl AsyncFn(usize) -> Duration, floor: impl AsyncFn(usize) -> Duration) {
    let (mut quotients, mut times, mut floors) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (one, other) = (ours(round).await, floor(round).await);
        quotients.push(one.as_secs_f64() / other.as_secs_f64());
        times.push(one);
        floors.push(other);
    }
    quotients.sort_by(f64::total_cmp);
    times.sort();
    floors.sort();
    println!(
        "{:>6.2}  {what} ({:.0} and {:.0} a second)",
        quotients[ROUNDS / 2],
        per_second(CALLS, times[ROUNDS / 2]),
        per_second(CALLS, floors[ROUNDS / 2]),
    );
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

async fn many(count: usize, call: impl AsyncFn(usize)) -> Duration {
    let start = Instant::now();
    for first in (0..count).step_by(TOGETHER) {
        join_all((first..(first + TOGETHER).min(count)).map(|number| call(number))).await;
    }
    start.elapsed()
}

async fn fill(storage: &RedisStorage, shape: Shape, users: usize) {
    for first in (0..users).step_by(TOGETHER) {
        let numbers = first..(first + TOGETHER).min(users);
        let claims =
            numbers.flat_map(|number| (0..shape.campaigns).map(move |campaign| claim(record(number, campaign, shape))));
        storage.merge_many(claims.collect()).await.into_iter().for_each(|merged| drop(merged.unwrap()));
    }
}

fn user(number: usize, shape: Shape) -> String {
    format!("{number:0>width$}", width = shape.id)
}

fn campaign(number: usize) -> String {
    format!("checkout-but-{number:02}")
}

fn record(number: usize, of: usize, shape: Shape) -> Record {
    let goals: Vec<String> = (0..shape.goals).map(|goal| format!("bought-it-{goal:02}")).collect();
    let record = Record::new(user(number, shape), campaign(of), "Variation-1");
    Record { goals: GoalList::from_text(goals.join("_vwo_")), ..record }
}

fn claim(record: Record) -> Claim {
    Claim { record, goal: None, condition: Condition::Absent, was_read: true }
}

fn storage(url: &str, shape: Shape) -> RedisStorage {
    let retention = shape.expires.then(|| Duration::from_secs(90 * 86_400));
    let answer = Duration::from_secs(60);
    let options = RedisOptions { prefix: shape.prefix.to_owned(), retention, answer, ..RedisOptions::default() };
    RedisStorage::new(url, options).unwrap()
}

async fn start(compact: usize, cluster: bool) -> (Redis, MultiplexedConnection) {
    let compact = compact.to_string();
    let cluster_enabled = if cluster { "yes" } else { "no" };
    let server = Redis::start_with(&[
        "--appendonly",
        "no",
        "--hash-max-listpack-value",
        &compact,
        "--cluster-enabled",
        cluster_enabled,
    ]);
    let client = redis::Client::open(server.url()).unwrap();
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(60)));
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
    if cluster {
        let () = cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(0).arg(16_383).query_async(&mut connection).await.unwrap();
        let begun = Instant::now();
        loop {
            let state: String = cmd("CLUSTER").arg("INFO").query_async(&mut connection).await.unwrap();
            if state.contains("cluster_state:ok") {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{state}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    (server, connection)
}

async fn info(connection: &mut MultiplexedConnection, field: &str) -> usize {
    let text: String = cmd("INFO").arg("memory").query_async(connection).await.unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("{field}:"))).unwrap();
    value.trim().parse().unwrap()
}
