//! What Redis, the way to it, and people who run it do while somebody reads and writes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use steadfast::StorageConfig;
use steadfast_engine::Record;
use steadfast_storage::{
    AsyncUserStorage, Claim, Condition, Cursor, Outcome, RedisOptions, RedisStorage, StorageError, StorageErrorKind,
};
use steadfast_testkit::servers::{Redis, RedisCluster};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// What no machine needs, however busy.
const PATIENCE: Duration = Duration::from_secs(30);

fn patient() -> RedisOptions {
    RedisOptions { connect: PATIENCE, answer: PATIENCE, ..RedisOptions::default() }
}

fn first(user: &str) -> Claim {
    Claim { record: Record::new(user, "ab", "Control"), goal: None, condition: Condition::Absent, was_read: true }
}

async fn filled(url: &str, users: usize) -> RedisStorage {
    let storage = RedisStorage::open(url, patient()).await.unwrap();
    let records = (0..users).map(|user| Record::new(format!("user {user}"), "ab", "Control"));
    storage.set_many(records.collect()).await.into_iter().for_each(|set| set.unwrap());
    storage
}

/// Reads on from a place to the end.
async fn read_on(storage: &RedisStorage, mut from: Option<Cursor>, found: &mut HashSet<String>) {
    loop {
        let page = storage.scan(from.as_ref(), 100).await.unwrap();
        found.extend(page.records.into_iter().map(|record| record.user_id));
        from = page.next;
        if from.is_none() {
            return;
        }
    }
}

/// What a way to a server may do to the bytes on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Connections that are there say nothing any more; new ones are well.
    Silent,
    /// One connection ends when somebody named Ashley was written, before the answer.
    CutsAshleyOff,
}

/// A way to a server that is well until it is told otherwise; its port.
async fn way_to(server: u16, way: Way) -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let is_on = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&is_on);
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let switch = Arc::clone(&switch);
            let is_old = !switch.load(Ordering::SeqCst);
            tokio::spawn(async move {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                let _ = pass(client, server, way, is_old, &switch).await;
            });
        }
    });
    (port, is_on)
}

async fn pass(
    mut client: TcpStream,
    mut server: TcpStream,
    way: Way,
    is_old: bool,
    switch: &AtomicBool,
) -> std::io::Result<()> {
    let (mut asked, mut said) = (vec![0; 65_536], vec![0; 65_536]);
    let mut is_cut = false;
    loop {
        tokio::select! {
            many = client.read(&mut asked) => {
                let asked = &asked[..many?];
                if asked.is_empty() {
                    return Ok(());
                }
                let is_on = switch.load(Ordering::SeqCst);
                if way == Way::Silent && is_on && is_old {
                    continue;
                }
                if way == Way::CutsAshleyOff && is_on && String::from_utf8_lossy(asked).contains("Ashley") {
                    is_cut = switch.swap(false, Ordering::SeqCst);
                }
                server.write_all(asked).await?;
            }
            many = server.read(&mut said) => {
                let said = &said[..many?];
                if said.is_empty() || is_cut {
                    return Ok(());
                }
                client.write_all(said).await?;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_says_nothing_is_made_anew_also_where_callers_give_up_first() {
    let server = Redis::start();
    for breaker in [false, true] {
        let (port, silence) = way_to(server.port(), Way::Silent).await;
        let config = StorageConfig::from_url(&format!("redis://127.0.0.1:{port}")).unwrap();
        let config = config.look_up(Duration::from_millis(100)).write(PATIENCE);
        let config = if breaker { config } else { config.breaker(None) };
        let storage = config.open().await.unwrap();
        storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
        silence.store(true, Ordering::SeqCst);
        let start = Instant::now();
        while storage.get("Ashley", "ab").await.is_err() {
            assert!(start.elapsed() < PATIENCE, "it is never made anew");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn a_scan_over_a_restart_says_that_it_must_begin_anew() {
    let mut server = Redis::start_with(&["--appendfsync", "no"]);
    let storage = filled(&server.url(), 2_000).await;
    let page = storage.scan(None, 100).await.unwrap();
    server.kill();
    server.restart();
    let start = Instant::now();
    let error = loop {
        match storage.scan(page.next.as_ref(), 100).await {
            Err(error) if error.is_temporary() => assert!(start.elapsed() < PATIENCE, "{error}"),
            other => break other.unwrap_err(),
        }
    };
    assert!(error.to_string().contains("begin it anew"), "{error}");
    let mut found = HashSet::new();
    read_on(&storage, None, &mut found).await;
    assert_eq!(found.len(), 2_000);
}

#[tokio::test]
async fn a_page_that_failed_comes_whole_when_it_is_asked_for_again() {
    let server = Redis::start_with(&["--appendfsync", "no"]);
    let storage = filled(&server.url(), 2_000).await;
    let page = storage.scan(None, 100).await.unwrap();
    let mut found: HashSet<String> = page.records.into_iter().map(|record| record.user_id).collect();
    assert!(server.ask(&["ACL", "SETUSER", "default", "-hgetall"]).starts_with("OK"));
    assert!(storage.scan(page.next.as_ref(), 100).await.is_err());
    assert!(server.ask(&["ACL", "SETUSER", "default", "+hgetall"]).starts_with("OK"));
    read_on(&storage, page.next, &mut found).await;
    assert_eq!(found.len(), 2_000);
}

/// The node that has the slot of `x`, another one, and the slot.
fn moving(cluster: &RedisCluster) -> (usize, usize, String) {
    let slot = cluster.nodes[0].ask(&["CLUSTER", "KEYSLOT", "x"]).trim().to_owned();
    let is_primary = |node: &usize| cluster.nodes[*node].ask(&["ROLE"]).starts_with("master");
    let has = |node: &usize| cluster.nodes[*node].ask(&["CLUSTER", "COUNTKEYSINSLOT", &slot]).trim() != "0";
    let primaries: Vec<usize> = (0..cluster.nodes.len()).filter(is_primary).collect();
    let from = *primaries.iter().find(|node| has(node)).unwrap();
    let to = *primaries.iter().find(|node| **node != from).unwrap();
    (from, to, slot)
}

fn id(node: &Redis) -> String {
    node.ask(&["CLUSTER", "MYID"]).trim().to_owned()
}

fn begin_to_move(from: &Redis, to: &Redis, slot: &str) {
    assert!(to.ask(&["CLUSTER", "SETSLOT", slot, "IMPORTING", &id(from)]).starts_with("OK"));
    assert!(from.ask(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &id(to)]).starts_with("OK"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_is_never_read_in_part() {
    const USERS: usize = 300;
    let cluster = RedisCluster::start();
    let storage = RedisStorage::open(&cluster.url(), patient()).await.unwrap();
    let records = (0..USERS).map(|user| Record::new(format!("x}}{user}"), "ab", "Control"));
    storage.set_many(records.collect()).await.into_iter().for_each(|set| set.unwrap());
    let (from, to, slot) = moving(&cluster);
    let (from, to) = (&cluster.nodes[from], &cluster.nodes[to]);
    let place = Cursor::new(slot.parse::<u16>().unwrap().to_be_bytes());
    let read = async || storage.scan(Some(&place), 1).await.map(|page| page.records.len());
    assert_eq!(read().await.unwrap(), USERS);
    begin_to_move(from, to, &slot);
    for many in ["150", "1000"] {
        let keys = from.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, many]);
        let port = to.port().to_string();
        let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        migrate.extend(keys.lines());
        assert!(from.ask(&migrate).starts_with("OK"));
        let error = read().await.unwrap_err();
        assert!(error.is_temporary() && error.to_string().contains("moving slots"), "{error}");
        // A user is found, on whichever side.
        assert!(storage.get("x}1", "ab").await.unwrap().is_some());
        assert_eq!(storage.merge(first("x}2")).await.unwrap().outcome, Outcome::Kept);
    }
    for node in [to, from] {
        assert!(node.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &id(to)]).starts_with("OK"));
    }
    assert_eq!(read().await.unwrap(), USERS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_told_no_write_twice_whose_answer_was_lost() {
    let server = Redis::start_with(&["--cluster-enabled", "yes"]);
    let (port, cuts) = way_to(server.port(), Way::CutsAshleyOff).await;
    for setting in [["cluster-announce-ip", "127.0.0.1"], ["cluster-announce-port", &port.to_string()]] {
        assert!(server.ask(&["CONFIG", "SET", setting[0], setting[1]]).starts_with("OK"));
    }
    assert!(server.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).starts_with("OK"));
    let storage = RedisStorage::new(&format!("redis+cluster://127.0.0.1:{port}"), patient()).unwrap();
    let start = Instant::now();
    while let Err(error) = storage.check().await {
        assert!(start.elapsed() < PATIENCE, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The script is known from here on.
    storage.merge(first("Eve")).await.unwrap();
    cuts.store(true, Ordering::SeqCst);
    let error = storage.merge(first("Ashley")).await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
    // It was done, once, and whoever asks again is told so.
    let start = Instant::now();
    let again = loop {
        match storage.merge(first("Ashley")).await {
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
            Ok(again) => break again,
        }
    };
    assert_eq!((again.outcome, again.newly_activated), (Outcome::Kept, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn look_ups_go_on_while_a_write_waits_for_a_replica() {
    let server = Redis::start();
    let answer = Duration::from_secs(4);
    let options = RedisOptions { replicas: 1, answer, ..patient() };
    let storage = RedisStorage::open(&server.url(), options).await.unwrap();
    let (write, read) = tokio::join!(storage.set(Record::new("Ashley", "ab", "Control")), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let start = Instant::now();
        storage.get("Ben", "ab").await.unwrap();
        start.elapsed()
    });
    let error = write.unwrap_err();
    assert!(error.to_string().contains("replicas"), "{error}");
    assert!(read < answer / 4, "a look-up waited for {read:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_to_a_slot_that_moves_is_waited_for_where_it_was_done() {
    let mut cluster = RedisCluster::start();
    let options = RedisOptions { replicas: 1, answer: Duration::from_secs(2), ..patient() };
    let storage = RedisStorage::open(&cluster.url(), options).await.unwrap();
    storage.set(Record::new("x", "ab", "Control")).await.unwrap();
    let (from, to, slot) = moving(&cluster);
    let of_to = format!("master_port:{}", cluster.nodes[to].port());
    let follows = |node: &usize| cluster.nodes[*node].ask(&["INFO", "replication"]).contains(&of_to);
    let replica = (0..cluster.nodes.len()).find(follows).unwrap();
    cluster.nodes[replica].kill();
    begin_to_move(&cluster.nodes[from], &cluster.nodes[to], &slot);
    // It is new, so it goes where the slot is moving to, where no replica is.
    let error = storage.set(Record::new("x}new", "ab", "Control")).await.unwrap_err();
    assert!(error.to_string().contains("replicas"), "{error}");
}

#[tokio::test]
async fn who_comes_while_a_connection_is_made_waits_for_no_second_one() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = Duration::from_secs(2);
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let storage = RedisStorage::new(&url, RedisOptions { connect, ..patient() }).unwrap();
    let timed = async |after: Duration| {
        tokio::time::sleep(after).await;
        let start = Instant::now();
        assert_eq!(storage.get("Ashley", "ab").await.unwrap_err().kind(), StorageErrorKind::TimedOut);
        start.elapsed()
    };
    let (_, other) = tokio::join!(timed(Duration::ZERO), timed(Duration::from_millis(100)));
    assert!(other < connect * 3 / 2, "{other:?}");
}

#[tokio::test]
async fn a_server_that_has_become_a_replica_is_not_asked_once_that_shows() {
    let (old, new) = (Redis::start(), Redis::start());
    let storage = RedisStorage::open(&old.url(), patient()).await.unwrap();
    assert!(old.ask(&["REPLICAOF", "127.0.0.1", &new.port().to_string()]).starts_with("OK"));
    let refused = storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap_err();
    let read = storage.get("Ashley", "ab").await.unwrap_err();
    for error in [refused, read] {
        assert_eq!(error.kind(), StorageErrorKind::Denied, "{error}");
        assert!(error.to_string().contains("replica"), "{error}");
    }
    // Who only wants what is there may have it.
    let existing = RedisOptions { existing: true, ..patient() };
    RedisStorage::open(&old.url(), existing).await.unwrap().get("Ashley", "ab").await.unwrap();
}

#[tokio::test]
async fn of_two_records_for_one_place_the_later_stays_also_where_scripts_are_new() {
    let server = Redis::start_with(&["--appendfsync", "no"]);
    let storage = RedisStorage::open(&server.url(), patient()).await.unwrap();
    for _ in 0..50 {
        assert!(server.ask(&["SCRIPT", "FLUSH"]).starts_with("OK"));
        let mut records = vec![Record::new("Ashley", "ab", "earlier")];
        records.extend((0..2_000).map(|user| Record::new(format!("user {user}"), "ab", "Control")));
        records.push(Record::new("Ashley", "ab", "later"));
        storage.set_many(records).await.into_iter().for_each(|set| set.unwrap());
        assert_eq!(storage.get("Ashley", "ab").await.unwrap().unwrap().variation_name, "later");
    }
}

#[tokio::test]
async fn a_retention_without_an_end_is_a_long_one() {
    let server = Redis::start();
    let options = RedisOptions { retention: Some(Duration::MAX), ..patient() };
    let storage = RedisStorage::open(&server.url(), options).await.unwrap();
    storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
    let merged = storage.merge_many(vec![first("Ben"), first("Eve")]).await;
    assert!(merged.iter().all(|merged| merged.as_ref().is_ok_and(|merged| merged.outcome == Outcome::Claimed)));
    for user in ["Ashley", "Ben", "Eve"] {
        assert!(storage.get(user, "ab").await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_of_one_moment_are_each_answered_and_none_waits_for_one_who_gave_up() {
    let server = Redis::start();
    let storage = RedisStorage::open(&server.url(), patient()).await.unwrap();
    let pausing = server.ask(&["CLIENT", "PAUSE", "2000", "WRITE"]);
    assert!(pausing.contains("OK"), "{pausing}");
    // These are under way, and those that wait behind them, when their callers go.
    let given_up = join_all((0..20).map(|number| {
        let claim = first(&format!("gone-{number}"));
        timeout(Duration::from_millis(100), async { storage.merge(claim).await })
    }));
    assert!(given_up.await.iter().all(Result::is_err), "the server pauses");
    let merged = join_all((0..200).map(|number| {
        let mut claim = first(&format!("user-{}", number % 50));
        claim.record.variation_name = format!("variation-{}", number / 50);
        storage.merge(claim)
    }));
    let merged = merged.await;
    for user in 0..50 {
        let of_user: Vec<_> = merged.iter().skip(user).step_by(50).map(|merged| merged.as_ref().unwrap()).collect();
        let claimed = of_user.iter().filter(|merged| merged.outcome == Outcome::Claimed).count();
        assert_eq!(claimed, 1, "user {user}");
        let stored = storage.get(&format!("user-{user}"), "ab").await.unwrap().unwrap();
        assert!(of_user.iter().all(|merged| merged.record == stored), "user {user}: {of_user:?}");
    }
}

#[test]
fn a_runtime_that_ends_takes_no_turn_with_it() {
    let server = Redis::start();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let storage = RedisStorage::new(&server.url(), patient()).unwrap();
    let first_one = runtime();
    first_one.block_on(storage.check()).unwrap();
    for number in 0..20 {
        let storage = storage.clone();
        first_one.spawn(async move { storage.merge(first(&format!("user-{number}"))).await });
    }
    // Long enough that all of them are sent or wait, and shorter than the server takes.
    let _ = server.ask(&["CLIENT", "PAUSE", "500", "WRITE"]);
    first_one.block_on(async { tokio::time::sleep(Duration::from_millis(50)).await });
    drop(first_one);
    runtime().block_on(async {
        let merged =
            timeout(PATIENCE, join_all((0..20).map(|number| storage.merge(first(&format!("new-{number}")))))).await;
        // The connection of the first runtime is gone with it, which the first calls may find.
        assert!(merged.unwrap().iter().all(|merged| merged.as_ref().map_or_else(StorageError::is_temporary, |_| true)));
        assert_eq!(storage.merge(first("after")).await.unwrap().outcome, Outcome::Claimed);
    });
}

// One thread, so that they begin in their order.
#[tokio::test]
async fn who_waits_behind_a_connection_that_says_nothing_goes_on_with_the_next() {
    let server = Redis::start();
    let (port, silence) = way_to(server.port(), Way::Silent).await;
    let storage = RedisStorage::open(&format!("redis://127.0.0.1:{port}"), patient()).await.unwrap();
    storage.set(Record::new("Ashley", "ab", "Control")).await.unwrap();
    silence.store(true, Ordering::SeqCst);
    let merge = |number: usize| {
        let storage = storage.clone();
        tokio::spawn(async move { storage.merge(first(&format!("user-{number}"))).await })
    };
    // Four are under way, and the others behind them.
    let merges: Vec<_> = (0..10).map(merge).collect();
    let start = Instant::now();
    while !timeout(Duration::from_millis(50), storage.get("Ashley", "ab")).await.is_ok_and(|found| found.is_ok()) {
        assert!(start.elapsed() < PATIENCE, "it is never made anew");
    }
    timeout(PATIENCE / 3, storage.merge(first("after"))).await.unwrap().unwrap();
    let ended = async {
        for merge in merges.into_iter().skip(4) {
            merge.await.unwrap().unwrap();
        }
    };
    timeout(PATIENCE / 3, ended).await.unwrap();
}

#[test]
fn a_runtime_that_nobody_drives_keeps_no_others_waiting() {
    let server = Redis::start();
    let driven = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let storage = driven.block_on(RedisStorage::open(&server.url(), patient())).unwrap();
    let merge = |user: String| {
        let storage = storage.clone();
        async move { storage.merge(first(&user)).await.map(drop) }
    };
    let mut undriven = Vec::new();
    for round in 0..4 {
        let _ = server.ask(&["CLIENT", "PAUSE", "300", "WRITE"]);
        // Each of them has a turn, and returns from it into a runtime that does nothing more.
        let turns: Vec<_> = (0..4)
            .map(|number| {
                let merged = merge(format!("turn-{round}-{number}"));
                std::thread::spawn(move || {
                    let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    (own.block_on(merged), own)
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(100));
        let waiting = driven.spawn(join_all((0..8).map(|number| merge(format!("waiting-{round}-{number}")))));
        for turn in turns {
            let (merged, own) = turn.join().unwrap();
            merged.unwrap();
            undriven.push(own);
        }
        let waited = driven.block_on(async { timeout(PATIENCE / 2, waiting).await.unwrap() });
        waited.unwrap().into_iter().for_each(|merged| merged.unwrap());
    }
}

#[test]
fn a_runtime_that_ends_takes_no_turn_of_another_with_it() {
    let server = Redis::start();
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (one, other) = (runtime(), runtime());
    let storage = other.block_on(RedisStorage::open(&server.url(), patient())).unwrap();
    let _ = server.ask(&["CLIENT", "PAUSE", "1000", "WRITE"]);
    for number in 0..4 {
        let storage = storage.clone();
        one.spawn(async move { storage.merge(first(&format!("turn-{number}"))).await });
    }
    std::thread::sleep(Duration::from_millis(100));
    let waiting = other.spawn(join_all((0..10_000).map(|number| {
        let storage = storage.clone();
        async move { storage.merge(first(&format!("waiting-{number}"))).await }
    })));
    std::thread::sleep(Duration::from_millis(200));
    drop(one);
    let merged = other.block_on(async { timeout(PATIENCE, waiting).await.unwrap() }).unwrap();
    assert!(merged.iter().all(Result::is_ok), "{:?}", merged.iter().find(|merged| merged.is_err()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_can_start_while_its_server_is_away() {
    let mut server = Redis::start();
    server.kill();
    let start = Instant::now();
    let config = || StorageConfig::from_url(&server.url()).unwrap().in_background();
    let (storage, blocking) = (config().open().await.unwrap(), config().open_blocking().unwrap());
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(storage.get("Ashley", "ab").await.is_err_and(|error| error.is_temporary()));
    server.restart();
    let start = Instant::now();
    while let Err(error) = storage.set(Record::new("Ashley", "ab", "Control")).await {
        assert!(start.elapsed() < PATIENCE, "it is never opened: {error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::task::spawn_blocking(move || {
        loop {
            match blocking.get("Ashley", "ab") {
                Ok(found) => break assert!(found.is_some()),
                Err(error) => assert!(start.elapsed() < PATIENCE, "it is never opened: {error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    })
    .await
    .unwrap();
}
