//! Redis, for real: one server, Cluster and Sentinel keep the contract, and say what is wrong when something is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use steadfast::{Client, StorageConfig};
use steadfast_engine::{GoalList, Options, Record, Settings};
use steadfast_storage::bridge::Waited;
use steadfast_storage::layer::write_behind::{Journal, WriteBehindOptions};
use steadfast_storage::merge::merge;
use steadfast_storage::{
    AsyncUserStorage, Claim, Condition, Cursor, Merged, Outcome, RedisOptions, RedisStorage, StorageError,
    StorageErrorKind, UserStorage,
};
use steadfast_testkit::conformance;
use steadfast_testkit::servers::{Redis, RedisCluster, RedisSentinel};

/// What no machine needs, however busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Servers here are shared by many tests at one moment.
fn patient() -> RedisOptions {
    RedisOptions { connect: PATIENCE, answer: PATIENCE, ..RedisOptions::default() }
}

async fn open(url: &str) -> RedisStorage {
    RedisStorage::open(url, patient()).await.unwrap()
}

// The contract.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_keeps_the_contract() {
    let server = Redis::start();
    conformance::built_in_async(Arc::new(open(&server.url()).await)).await.assert();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_keeps_the_contract() {
    let cluster = RedisCluster::start();
    conformance::built_in_async(Arc::new(open(&cluster.url()).await)).await.assert();
}

#[tokio::test]
async fn a_node_of_a_cluster_is_not_taken_for_a_server() {
    let cluster = RedisCluster::start();
    for node in &cluster.nodes {
        check(
            &error_of(&node.url(), patient()).await,
            StorageErrorKind::Denied,
            &["node of a Cluster", "redis+cluster://"],
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_keeps_the_contract_under_the_usual_layers() {
    let server = Redis::start();
    let config = || StorageConfig::from_url(&server.url()).unwrap().look_up(PATIENCE).write(PATIENCE);
    conformance::built_in_async(Arc::new(config().open().await.unwrap())).await.assert();
    // The same for a blocking program, also inside a runtime.
    let storage = config().open_blocking().unwrap();
    storage.set(Record::new("Ashley", "ab", "Control")).unwrap();
    assert!(storage.get("Ashley", "ab").unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_of_a_cluster_is_read_whole_while_others_come_into_it() {
    let cluster = RedisCluster::start();
    let storage = open(&cluster.url()).await;
    // What stands before the first closing brace is the hash tag, so these all lie in one slot.
    fn records(numbers: std::ops::Range<usize>) -> Vec<Record> {
        numbers.map(|number| Record::new(format!("x}}{number}"), "ab", "Control")).collect()
    }
    // A place between records is the slot to go on from; one page of it is enough, and can be read often.
    let slot: u16 = cluster.nodes[0].ask(&["CLUSTER", "KEYSLOT", "x"]).trim().parse().unwrap();
    let place = Cursor::new(slot.to_be_bytes());
    let read = async || -> Vec<String> {
        let page = storage.scan(Some(&place), 1).await.unwrap();
        page.records.into_iter().map(|record| record.user_id).collect()
    };
    let stay: Vec<String> = records(0..300).into_iter().map(|record| record.user_id).collect();
    assert!(storage.set_many(records(0..300)).await.iter().all(Result::is_ok));
    let coming = {
        let storage = storage.clone();
        tokio::spawn(async move {
            for batch in 0..200 {
                let come = records(1_000 + batch * 25..1_000 + (batch + 1) * 25);
                assert!(storage.set_many(come).await.iter().all(Result::is_ok));
            }
        })
    };
    // Begins with fewer than are asked for at first, and ends with more.
    loop {
        let is_last = coming.is_finished();
        let found = read().await;
        let missing: Vec<_> = stay.iter().filter(|user| !found.contains(user)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        if is_last {
            break assert_eq!(found.len(), 5_300);
        }
    }
    coming.await.unwrap();
}

#[test]
fn one_server_keeps_the_contract_for_those_who_wait() {
    let server = Redis::start();
    let storage = RedisStorage::new(&server.url(), patient()).unwrap();
    conformance::built_in(&Waited::new(storage, PATIENCE).unwrap()).assert();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_behind_a_sentinel_is_found_also_after_a_failover() {
    let mut servers = RedisSentinel::start();
    let storage = open(&servers.url()).await;
    storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
    let replicated = || servers.replica.ask(&["HLEN", "steadfast:{Ashley}"]).trim() == "1";
    while !replicated() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    servers.primary.kill();
    servers.wait_for_failover();
    let start = Instant::now();
    let found = loop {
        match storage.get("Ashley", "ab").await {
            Ok(found) => break found,
            Err(error) => assert!(start.elapsed() < PATIENCE && error.is_temporary(), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(found.unwrap().variation_name, "Control");
    storage.set(Record::new("Ashley", "ab", "Variation-1")).await.unwrap();
}

/// A small generator of its own, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[usize::try_from(self.below(texts.len() as u64)).unwrap()]
    }

    fn record(&mut self) -> Record {
        const GOALS: [&str; 8] = ["buy", "now", "buy_vwo_now", "_vwo_", "_vwo", "x", "Größe", "%d+"];
        let mut goals = String::new();
        for _ in 0..self.below(4) {
            if self.below(8) != 0 && !goals.is_empty() {
                goals.push_str("_vwo_");
            }
            goals.push_str(self.of(&GOALS));
        }
        let meta_data = (self.below(3) == 0).then(|| serde_json::json!({"n": self.below(3)}));
        let variation = self.of(&["A", "B", "C:1"]);
        Record {
            goals: GoalList::from_text(goals),
            activated: self.below(2) == 0,
            meta_data,
            ..Record::new("u", "c", variation)
        }
    }

    fn claim(&mut self) -> Claim {
        let mut record = self.record();
        let goal = (self.below(2) == 0).then(|| self.of(&["buy", "now", "buy_vwo_now", "_vwo_", "x"]).to_owned());
        if let Some(goal) = goal.as_deref().filter(|_| self.below(8) != 0) {
            record.goals.push(goal);
        }
        let condition = match self.below(4) {
            0 => Condition::Absent,
            1 => Condition::Stored,
            2 => Condition::Replaces(self.of(&["A", "B"]).to_owned()),
            _ => Condition::Unknown,
        };
        Claim { record, goal, condition, was_read: self.below(2) == 0 }
    }
}

#[tokio::test]
async fn the_script_merges_as_the_function_does() {
    let server = Redis::start_with(&["--appendfsync", "no"]);
    let storage = open(&server.url()).await;
    let mut random = Random(7);
    for round in 0..4_000 {
        let users = ["u", "v", "w"];
        let mut expected = users.map(|user| (random.below(4) != 0).then(|| of(user, random.record())));
        for (user, stored) in users.iter().zip(&expected) {
            storage.erase(user).await.unwrap();
            if let Some(stored) = stored {
                storage.set(stored.clone()).await.unwrap();
            }
        }
        let claims: Vec<Claim> = (0..=random.below(6))
            .map(|_| {
                let claim = random.claim();
                Claim { record: of(random.of(&users), claim.record), ..claim }
            })
            .collect();
        let answers = storage.merge_many(claims.clone()).await;
        assert_eq!(answers.len(), claims.len());
        for (claim, answer) in claims.iter().zip(answers) {
            let user = users.iter().position(|user| *user == claim.record.user_id).unwrap();
            let merged = merge(expected[user].as_ref(), claim);
            assert_eq!(answer.unwrap(), merged, "round {round}: {claim:?} on {expected:?}");
            expected[user] = Some(merged.record);
        }
        for (user, expected) in users.iter().zip(expected) {
            assert_eq!(storage.get(user, "c").await.unwrap(), expected, "round {round}: {claims:?}");
        }
    }
}

/// The claim of somebody who found nothing.
fn first(user: &str, variation: &str) -> Claim {
    let record = Record::new(user, "ab", variation);
    Claim { record, goal: None, condition: Condition::Absent, was_read: true }
}

fn of(user: &str, record: Record) -> Record {
    Record { user_id: user.to_owned(), ..record }
}

#[tokio::test]
async fn a_batch_of_more_users_than_go_in_a_script_is_merged_in_order() {
    let server = Redis::start();
    let storage = open(&server.url()).await;
    let users: Vec<String> = (0..150).map(|user| format!("user {user}")).collect();
    let claims =
        ["First", "Second"].into_iter().flat_map(|variation| users.iter().map(move |user| first(user, variation)));
    let merged = storage.merge_many(claims.collect()).await;
    for (number, merged) in merged.into_iter().enumerate() {
        let Merged { record, outcome, .. } = merged.unwrap();
        assert_eq!((&record.user_id, &*record.variation_name), (&users[number % users.len()], "First"));
        assert_eq!(outcome, if number < users.len() { Outcome::Claimed } else { Outcome::Kept });
    }
}

async fn race(url: &str) {
    const USERS: usize = 2_000;
    let servers: Vec<RedisStorage> = vec![open(url).await, open(url).await];
    let tasks = (0..8).map(|task| {
        let storage = servers[task % 2].clone();
        tokio::spawn(async move {
            let mut winners = Vec::new();
            for user in 0..USERS {
                let (user, variation) = (format!("user {user}"), format!("Variation-{task}"));
                let claim = |goal: Option<&str>| {
                    let mut record = Record::new(user.as_str(), "ab", variation.as_str());
                    goal.into_iter().for_each(|goal| record.goals.push(goal));
                    Claim { record, goal: goal.map(str::to_owned), condition: Condition::Absent, was_read: true }
                };
                let winner = storage.merge(claim(None)).await.unwrap().record.variation_name;
                storage.merge(claim(Some(&format!("goal {task}")))).await.unwrap();
                winners.push(winner);
            }
            winners
        })
    });
    let mut winners = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        winners.push(task.await.unwrap());
    }
    for user in 0..USERS {
        let record = servers[0].get(&format!("user {user}"), "ab").await.unwrap().unwrap();
        assert!(winners.iter().all(|winners| winners[user] == record.variation_name), "user {user} has two variations");
        assert_eq!(record.goals.goals(std::iter::empty()).count(), 8, "user {user}: {:?}", record.goals);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_servers_at_one_moment_one_wins_and_no_goal_is_lost() {
    let server = Redis::start_with(&["--appendfsync", "no"]);
    race(&server.url()).await;
}

// What may be wrong.

async fn error_of(url: &str, options: RedisOptions) -> StorageError {
    RedisStorage::open(url, options).await.unwrap_err()
}

fn check(error: &StorageError, kind: StorageErrorKind, words: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}: {:?}", std::error::Error::source(error));
    for word in words {
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_denied() {
    let server = Redis::start_with(&["--requirepass", "right"]);
    let error = error_of(&server.url().replace("redis://", "redis://:wrong@"), patient()).await;
    check(&error, StorageErrorKind::Denied, &["user or the password"]);
    assert!(!error.to_string().contains("wrong"), "{error}");
    open(&server.url().replace("redis://", "redis://:right@")).await;
}

#[tokio::test]
async fn a_user_without_rights_is_denied() {
    let server = Redis::start();
    assert!(server.ask(&["ACL", "SETUSER", "reader", "on", ">p", "~*", "+@read"]).starts_with("OK"));
    let error = error_of(&server.url().replace("redis://", "redis://reader:p@"), patient()).await;
    check(&error, StorageErrorKind::Denied, &["permit"]);
}

/// The users of docs/operations.md, with the rights that stand there.
fn documented_user(start: &str) -> Vec<&'static str> {
    let document = include_str!("../../../docs/operations.md");
    let line = document.lines().find(|line| line.starts_with(start)).unwrap();
    line.split(' ').collect()
}

/// What was refused to it, but for naming the library, which servers from 7.2 on know of.
fn refused(server: &Redis) -> Vec<String> {
    let log = server.ask(&["ACL", "LOG"]);
    let lines: Vec<&str> = log.lines().map(str::trim).collect();
    let objects = lines.windows(2).filter(|pair| pair[0] == "object" && pair[1] != "client|setinfo");
    objects.map(|pair| pair[1].to_owned()).collect()
}

#[tokio::test]
async fn a_lone_server_as_documented_takes_writes_and_with_what_is_for_replicas_says_why_not() {
    let document = include_str!("../../../docs/operations.md");
    let blocks = document.split("```text\n").skip(1).map(|block| block.split("```").next().unwrap());
    let of = |name: &str| {
        let block = blocks.clone().find(|block| block.contains(name)).unwrap();
        let lines = block.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once(' ').unwrap());
        lines.flat_map(|(name, value)| [format!("--{name}"), value.to_owned()]).collect::<Vec<String>>()
    };
    let (lone, replicated) = (of("maxmemory-policy"), of("min-replicas-to-write"));
    let start = |options: &[String]| Redis::start_with(&options.iter().map(String::as_str).collect::<Vec<_>>());
    let server = start(&lone);
    open(&server.url()).await.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
    let server = start(&[lone, replicated].concat());
    let error = error_of(&server.url(), patient()).await;
    check(&error, StorageErrorKind::Unavailable, &["min-replicas-to-write", "set it to 0 for a lone server"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_rights_are_enough() {
    let server = Redis::start();
    let user = documented_user("ACL SETUSER steadfast on ");
    assert!(server.ask(&user).starts_with("OK"));
    let url = server.url().replace("redis://", "redis://steadfast:secret@");
    conformance::built_in_async(Arc::new(open(&url).await)).await.assert();
    assert_eq!(refused(&server), [""; 0]);
    let all = server.ask(&["-u", &url, "FLUSHALL"]);
    assert!(all.contains("NOPERM"), "{all}");
    let foreign = server.ask(&["-u", &url, "HGET", "other:{Ashley}", "ab"]);
    assert!(foreign.contains("NOPERM"), "{foreign}");
    assert!(!refused(&server).is_empty(), "the log is read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_sentinel_the_documented_rights_are_enough_with_one_more() {
    let servers = RedisSentinel::start();
    assert!(servers.primary.ask(&documented_user("ACL SETUSER steadfast on ")).starts_with("OK"));
    let url = servers.url().replace("redis+sentinel://", "redis+sentinel://steadfast:secret@");
    assert!(RedisStorage::open(&url, patient()).await.is_err(), "the server may not say who it is");
    assert!(servers.primary.ask(&["ACL", "SETUSER", "steadfast", "+role"]).starts_with("OK"));
    open(&url).await.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_rights_are_enough_in_a_cluster() {
    let cluster = RedisCluster::start();
    let user = documented_user("ACL SETUSER steadfast on ");
    let in_cluster = documented_user("ACL SETUSER steadfast +cluster");
    for node in &cluster.nodes {
        assert!(node.ask(&user).starts_with("OK") && node.ask(&in_cluster).starts_with("OK"));
    }
    let url = cluster.url().replace("redis+cluster://", "redis+cluster://steadfast:secret@");
    conformance::built_in_async(Arc::new(open(&url).await)).await.assert();
    for node in &cluster.nodes {
        assert_eq!(refused(node), [""; 0]);
    }
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let server = Redis::start();
    let url = server.url();
    drop(server);
    check(&error_of(&url, patient()).await, StorageErrorKind::Unavailable, &["check that it runs"]);
    let cluster = url.replace("redis://", "redis+cluster://");
    check(&error_of(&cluster, patient()).await, StorageErrorKind::Unavailable, &["nodes run"]);
}

#[tokio::test]
async fn what_a_url_gets_wrong_is_said() {
    let server = Redis::start_with(&["--requirepass", "secret"]);
    let other = Redis::start();
    let (port, with) = (server.port(), |rest: &str| format!("redis://:secret@127.0.0.1:{}{rest}", server.port()));
    let wrong = [
        (server.url(), StorageErrorKind::Denied, "the URL has none"),
        (with("/99"), StorageErrorKind::Denied, "no database of this number"),
        (with("?retention=1d"), StorageErrorKind::Denied, "RedisOptions"),
        (with("").replace("redis:", "redis+cluster:"), StorageErrorKind::Denied, "write redis://"),
        (format!("redis+sentinel://127.0.0.1:{}/main", other.port()), StorageErrorKind::Denied, "no Sentinel"),
        ("redis://no-such-host.invalid".to_owned(), StorageErrorKind::Unavailable, "lookup"),
        (format!("redis://:a#b@127.0.0.1:{port}"), StorageErrorKind::Denied, "%23"),
    ];
    for (url, kind, says) in wrong {
        check(&error_of(&url, patient()).await, kind, &[says]);
    }
}

#[tokio::test]
async fn tls_is_spoken_where_both_do() {
    let server = Redis::start_with_tls();
    let url = format!("rediss://localhost:{}", server.port());
    let trusting = RedisOptions { root_certificate: Some(server.root_certificate()), ..patient() };
    let storage = RedisStorage::open(&url, trusting).await.unwrap();
    storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
    assert!(storage.get("Ashley", "ab").await.unwrap().is_some());
    check(&error_of(&url, patient()).await, StorageErrorKind::Denied, &["TLS", "trusted"]);
    let plain = format!("redis://localhost:{}", server.port());
    check(&error_of(&plain, patient()).await, StorageErrorKind::Unavailable, &["rediss://"]);
    let server = Redis::start();
    let url = format!("rediss://localhost:{}", server.port());
    let options = RedisOptions { connect: Duration::from_millis(500), ..patient() };
    check(&error_of(&url, options).await, StorageErrorKind::TimedOut, &["port", "TLS"]);
}

#[tokio::test]
async fn a_replica_is_denied_and_not_written_to() {
    let primary = Redis::start();
    let of = primary.port().to_string();
    let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &of]);
    check(&error_of(&replica.url(), patient()).await, StorageErrorKind::Denied, &["replica", "primary"]);
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_refused_and_left() {
    let server = Redis::start();
    let storage = open(&server.url()).await;
    let _ = server.ask(&["HSET", "steadfast:{Ashley}", "ab", "2 something new"]);
    let _ = server.ask(&["HSET", "steadfast:{Ashley}", "cd", "something else"]);
    check(&storage.get("Ashley", "ab").await.unwrap_err(), StorageErrorKind::NewerFormat, &["newer version"]);
    check(&storage.get("Ashley", "cd").await.unwrap_err(), StorageErrorKind::Corrupt, &["damaged"]);
    for (campaign, kind) in [("ab", StorageErrorKind::NewerFormat), ("cd", StorageErrorKind::Corrupt)] {
        let claim = Claim {
            record: Record::new("Ashley", campaign, "Control"),
            goal: None,
            condition: Condition::Absent,
            was_read: true,
        };
        assert_eq!(storage.merge(claim).await.unwrap_err().kind(), kind);
    }
    assert_eq!(server.ask(&["HGET", "steadfast:{Ashley}", "ab"]).trim(), "2 something new");
    assert_eq!(server.ask(&["HGET", "steadfast:{Ashley}", "cd"]).trim(), "something else");
    let _ = server.ask(&["SET", "steadfast:format", "2"]);
    check(&error_of(&server.url(), patient()).await, StorageErrorKind::NewerFormat, &["format 2"]);
}

#[tokio::test]
async fn a_key_of_another_program_is_left_alone() {
    let server = Redis::start();
    let storage = open(&server.url()).await;
    let _ = server.ask(&["SET", "steadfast:{Ashley}", "a text"]);
    check(&storage.get("Ashley", "ab").await.unwrap_err(), StorageErrorKind::Corrupt, &["another prefix"]);
    assert!(storage.set(Record::new("Ashley", "ab", "Control")).await.is_err());
    let claims = ["Adam", "Ashley", "Ashley", "Zoe"].map(|user| first(user, "Control"));
    let mut merged = storage.merge_many(claims.to_vec()).await;
    assert_eq!(merged.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false, true]);
    check(&merged.swap_remove(1).unwrap_err(), StorageErrorKind::Corrupt, &["another prefix"]);
    assert!(storage.get("Zoe", "ab").await.unwrap().is_some());
    assert_eq!(server.ask(&["GET", "steadfast:{Ashley}"]).trim(), "a text");
    let _ = server.ask(&["HSET", "steadfast:{Zoe}", "cd", "no record"]);
    let page = storage.scan(None, 100).await.unwrap();
    let mut users: Vec<&str> = page.records.iter().map(|record| &*record.user_id).collect();
    users.sort_unstable();
    assert_eq!((users, page.next), (vec!["Adam", "Zoe"], None));
    let mut damaged = page.damaged;
    damaged.sort();
    assert_eq!(damaged, ["Ashley", "Zoe"]);
    // Until somebody erases the user in whose place it lies.
    assert_eq!(storage.erase("Ashley").await.unwrap(), 1);
    assert_eq!(storage.get("Ashley", "ab").await.unwrap(), None);
}

#[tokio::test]
async fn a_server_without_memory_is_full() {
    let server = Redis::start();
    let storage = open(&server.url()).await;
    storage.set(Record::new("Ben", "ab", "Control")).await.unwrap();
    let _ = server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let claim = first("Ashley", "Control");
    check(&storage.set(claim.record.clone()).await.unwrap_err(), StorageErrorKind::Full, &["maxmemory"]);
    check(&storage.merge(claim).await.unwrap_err(), StorageErrorKind::Full, &["maxmemory"]);
    assert_eq!(storage.get("Ashley", "ab").await.unwrap(), None);
    // Also where it is opened only now; and erasing makes room.
    let storage = open(&server.url()).await;
    assert!(storage.get("Ben", "ab").await.unwrap().is_some());
    assert_eq!(storage.erase("Ben").await.unwrap(), 1);
}

#[tokio::test]
async fn metadata_that_could_not_be_read_again_is_refused_alone() {
    let server = Redis::start();
    let storage = open(&server.url()).await;
    let mut nested = serde_json::json!(1);
    for _ in 0..200 {
        nested = serde_json::json!([nested]);
    }
    let claim = |campaign: &str, meta_data: Option<serde_json::Value>| Claim {
        record: Record { meta_data, ..Record::new("Ashley", campaign, "Control") },
        goal: None,
        condition: Condition::Absent,
        was_read: true,
    };
    let deep = claim("deep", Some(nested));
    assert!(storage.set(deep.record.clone()).await.is_err());
    let merged = storage.merge_many(vec![claim("one", None), deep, claim("other", None)]).await;
    assert_eq!(merged.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    let kept: Vec<String> =
        storage.records_of("Ashley").await.unwrap().into_iter().map(|record| record.campaign_key).collect();
    assert_eq!(kept, ["one", "other"]);
}

#[tokio::test]
async fn a_server_that_cannot_be_connected_to_keeps_nobody_waiting_for_the_others() {
    // It takes connections, and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let connect = Duration::from_millis(300);
    let storage = RedisStorage::new(&url, RedisOptions { connect, ..patient() }).unwrap();
    let start = Instant::now();
    let callers: Vec<_> = (0..200)
        .map(|user| {
            let storage = storage.clone();
            tokio::spawn(async move { storage.get(&format!("user {user}"), "ab").await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap_err().kind(), StorageErrorKind::TimedOut);
    }
    // One after the other they would have waited for a minute.
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

#[tokio::test]
async fn records_go_after_their_retention() {
    let server = Redis::start();
    let options = RedisOptions { retention: Some(Duration::from_millis(300)), ..patient() };
    let storage = RedisStorage::open(&server.url(), options).await.unwrap();
    storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
    let claims = ["Adam", "Zoe"].map(|user| first(user, "Control"));
    storage.merge_many(claims.to_vec()).await.into_iter().for_each(|merged| drop(merged.unwrap()));
    for key in ["steadfast:{Ashley}", "steadfast:{Adam}", "steadfast:{Zoe}"] {
        let remaining: i64 = server.ask(&["PTTL", key]).trim().parse().unwrap();
        // -2: it is gone already.
        assert!((1..=300).contains(&remaining) || remaining == -2, "{key}: {remaining}");
    }
    let start = Instant::now();
    while storage.get("Ashley", "ab").await.unwrap().is_some() {
        assert!(start.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_write_counts_once_replicas_have_it() {
    let wanting = |replicas| RedisOptions { replicas, ..patient() };
    let servers = RedisSentinel::start();
    let storage = RedisStorage::open(&servers.url(), wanting(1)).await.unwrap();
    storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
    assert_eq!(servers.replica.ask(&["HLEN", "steadfast:{Ashley}"]).trim(), "1");
    let cluster = RedisCluster::start();
    let storage = RedisStorage::open(&cluster.url(), wanting(1)).await.unwrap();
    let records = (0..100).map(|user| Record::new(format!("user {user}"), "ab", "Control")).collect();
    assert!(storage.set_many(records).await.into_iter().all(|set| set.is_ok()));
    let options = RedisOptions { answer: Duration::from_millis(300), ..wanting(2) };
    for url in [servers.url(), cluster.url()] {
        let storage = RedisStorage::open(&url, options.clone()).await.unwrap();
        let error = storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap_err();
        assert!(error.is_temporary(), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_and_comes_back() {
    let mut server = Redis::start();
    let options = RedisOptions { answer: Duration::from_millis(200), connect: Duration::from_millis(400), ..patient() };
    let storage = RedisStorage::open(&server.url(), options).await.unwrap();
    storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
    server.stop();
    for _ in 0..3 {
        let start = Instant::now();
        check(&storage.get("Ashley", "ab").await.unwrap_err(), StorageErrorKind::TimedOut, &["in time"]);
        assert!(start.elapsed() < PATIENCE);
    }
    server.go_on();
    back(&storage).await;
    server.kill();
    assert!(storage.get("Ashley", "ab").await.unwrap_err().is_temporary());
    server.restart();
    back(&storage).await;
}

/// Waits until Ashley is found again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_that_is_down_does_not_get_is_journaled_and_sent_when_it_is_back() {
    let mut server = Redis::start();
    let (url, folder) = (server.url(), tempfile::tempdir().unwrap());
    let open = || async {
        let options = WriteBehindOptions {
            journal: Journal::Always(folder.path().join("journal")),
            back_off: Duration::from_millis(10),
            longest_back_off: Duration::from_millis(100),
            ..WriteBehindOptions::default()
        };
        let config = StorageConfig::from_url(&url).unwrap().look_up(Duration::from_millis(500));
        let start = Instant::now();
        loop {
            match config.clone().open_write_behind(options.clone()).await {
                Ok(storage) => return storage,
                // It listens while it reads its file.
                Err(error) => assert!(error.is_temporary() && start.elapsed() < PATIENCE, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let storage = open().await;
    let client = Client::builder(settings()).storage(Arc::clone(&storage)).build();
    client.activate("ab", "Ashley", Options::NONE).await.unwrap();
    client.flush(PATIENCE).await.unwrap();
    storage.flush(PATIENCE).await.unwrap();
    server.kill();
    for user in ["Adam", "Eve"] {
        let decision = client.activate("ab", user, Options::NONE).await.unwrap();
        assert!(decision.variation_name().is_some());
    }
    client.flush(PATIENCE).await.unwrap();
    // What waits is forgotten, and what is stored will be.
    let kept = client.erase("Ashley").await.unwrap_err();
    assert!(kept.is_temporary(), "{kept}");
    assert!(client.erase("Eve").await.unwrap_err().is_temporary());
    let unsent = storage.shutdown(Duration::from_millis(50)).await.unwrap_err();
    assert!(!unsent.is_lost && unsent.in_journal >= 1, "{unsent}");
    drop((client, storage));
    server.restart();
    let storage = open().await;
    storage.flush(PATIENCE).await.unwrap();
    let start = Instant::now();
    while storage.storage().get("Ashley", "ab").await.unwrap().is_some() {
        assert!(start.elapsed() < PATIENCE, "the tombstone is not carried out");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(storage.storage().get("Adam", "ab").await.unwrap().is_some());
    assert_eq!(storage.storage().get("Eve", "ab").await.unwrap(), None);
    storage.shutdown(PATIENCE).await.unwrap();
}

/// One campaign for everybody.
fn settings() -> Arc<Settings> {
    let file = serde_json::json!({"accountId": 1, "version": 1, "campaigns": [{
        "id": 1, "key": "ab", "type": "VISUAL_AB", "status": "RUNNING", "percentTraffic": 100, "segments": {}, "goals": [],
        "variations": [{"id": 1, "name": "Control", "weight": 50}, {"id": 2, "name": "Other", "weight": 50}]}]});
    Arc::new(Settings::parse(&file.to_string()).unwrap())
}

async fn back(storage: &RedisStorage) {
    let start = Instant::now();
    loop {
        match storage.get("Ashley", "ab").await {
            Ok(found) => break assert_eq!(found.unwrap().variation_name, "Control"),
            Err(error) => assert!(start.elapsed() < PATIENCE && error.is_temporary(), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn the_blocking_bridge_keeps_its_deadline_inside_a_runtime_of_one_thread() {
    let server = Redis::start();
    let storage = RedisStorage::new(&server.url(), patient()).unwrap();
    let storage = Waited::new(storage, Duration::from_millis(300)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        storage.set(Record::new("Ashley", "ab", "Control")).unwrap();
        server.stop();
        let start = Instant::now();
        assert_eq!(storage.get("Ashley", "ab").unwrap_err().kind(), StorageErrorKind::TimedOut);
        assert!(start.elapsed() < PATIENCE);
        server.go_on();
    });
}
