//! What the storage in a file costs in units of raw redb with the same bytes in transactions of the same shape, in turns
//! on one machine: `cargo bench -p steadfast-storage --bench embedded`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints what it measured")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use steadfast_engine::Record;
use steadfast_storage::{Claim, Condition, EmbeddedOptions, EmbeddedStorage, UserStorage};

const RECORDS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");
/// So many records are there when it is measured.
const STORED: usize = 200_000;
/// As many bytes as a record of these has: version, flags, length, `Variation-1`, checksum.
const VALUE: [u8; 18] = *b"012Variation-1sums";
const GROUP: usize = 1_000;
const GETS: usize = 20_000;
const ROUNDS: usize = 21;
/// Groups in a round: enough that a slow sync of the disk does not decide it.
const GROUPS: usize = 5;

fn main() {
    let folder = std::env::temp_dir().join(format!("steadfast-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (ours, raw) = (folder.join("ours.redb"), folder.join("raw.redb"));
    let filling = Instant::now();
    let options = EmbeddedOptions::default();
    let storage = EmbeddedStorage::open_with(&ours, options).unwrap();
    for start in (0..STORED).step_by(GROUP) {
        merge(&storage, start..start + GROUP);
    }
    let filled = filling.elapsed();
    let stats = storage.stats().unwrap();
    drop(storage);
    // The same file, so that the tree has the same shape.
    std::fs::copy(&ours, &raw).unwrap();
    let compacted = compacted(&folder, &ours);
    let storage = EmbeddedStorage::open_with(&ours, options).unwrap();
    let database = redb::Builder::new().set_cache_size(options.cache_bytes).open(&raw).unwrap();

    println!("medians of quotients of runs taken in turns, {STORED} records");
    let ratio =
        |name: &str, ours: &mut dyn FnMut(usize) -> Duration, raw: &mut dyn FnMut(usize) -> Duration, wanted: &str| {
            ours(0);
            raw(0);
            let runs: Vec<(f64, f64)> =
                (1..=ROUNDS).map(|round| (ours(round).as_secs_f64(), raw(round).as_secs_f64())).collect();
            let quotient = median(runs.iter().map(|(ours, raw)| ours / raw).collect());
            println!("{quotient:>8.2}  {name}  ({wanted})");
            median(runs.iter().map(|(ours, _)| *ours).collect())
        };

    let gets = ratio(
        "get / raw redb get, a read transaction each",
        &mut |round| timed(|| (0..GETS).for_each(|number| get(&storage, place(round * GETS + number)))),
        &mut |round| timed(|| (0..GETS).for_each(|number| get_raw(&database, place(round * GETS + number)))),
        "at most 1.5",
    );
    let gets_of_nothing = ratio(
        "get of nothing / raw redb get of nothing",
        &mut |round| timed(|| (0..GETS).for_each(|number| get(&storage, STORED + place(round * GETS + number)))),
        &mut |round| timed(|| (0..GETS).for_each(|number| get_raw(&database, STORED + place(round * GETS + number)))),
        "",
    );
    // Half of the users are there already, the others are new; each round has users of its own.
    let users = |round: usize, group: usize| {
        let first = (round * GROUPS + group) * GROUP;
        (0..GROUP)
            .map(move |number| if number % 2 == 0 { place(first + number) } else { STORED + spread(first + number) })
    };
    let merges = ratio(
        "time of merges in groups of 1,000 / raw redb get, then insert",
        &mut |round| timed(|| (0..GROUPS).for_each(|group| merge(&storage, users(round, group)))),
        &mut |round| timed(|| (0..GROUPS).for_each(|group| insert_raw(&database, users(round, group)))),
        "at most 1.25, which is 0.8 of the speed",
    );
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let per_second = |count: usize, time: f64| count as f64 / time;
    println!("{:>10.0}  gets a second", per_second(GETS, gets));
    println!("{:>10.0}  gets of nothing a second", per_second(GETS, gets_of_nothing));
    println!("{:>10.0}  merges a second in groups of {GROUP}, half of them new", per_second(GROUPS * GROUP, merges));
    println!("{:>10.0}  merges a second while filling", per_second(STORED, filled.as_secs_f64()));
    println!("{:>10}  bytes a record, key and value", stats.bytes_stored / stats.records);
    println!("{:>10}  bytes a record on disk", stats.bytes_on_disk / stats.records);
    println!("{:>10}  bytes a record on disk when compacted", compacted / stats.records);
    drop((storage, database));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A place among the stored ones, in no order.
fn place(number: usize) -> usize {
    spread(number) % STORED
}

fn spread(number: usize) -> usize {
    number.wrapping_mul(7_919_993) % 100_000_007
}

fn key(number: usize) -> (String, &'static str) {
    (format!("user-{:015}", spread(number)), "checkout-button")
}

fn get(storage: &EmbeddedStorage, number: usize) {
    let (user, campaign) = key(number);
    black_box(storage.get(&user, campaign).unwrap());
}

fn merge(storage: &EmbeddedStorage, users: impl Iterator<Item = usize>) {
    let claims = users.map(|number| {
        let (user, campaign) = key(number);
        Claim {
            record: Record::new(user, campaign, "Variation-1"),
            goal: None,
            condition: Condition::Absent,
            was_read: true,
        }
    });
    for merged in storage.merge_many(claims.collect()) {
        black_box(merged.unwrap());
    }
}

fn raw_key(number: usize) -> Vec<u8> {
    let (user, campaign) = key(number);
    [user.as_bytes(), b"\0", campaign.as_bytes()].concat()
}

fn get_raw(database: &Database, number: usize) {
    let key = raw_key(number);
    let table = database.begin_read().unwrap().open_table(RECORDS).unwrap();
    let found = ReadableTable::get(&table, key.as_slice()).unwrap();
    black_box(found.map(|value| value.value().to_vec()));
}

/// The first writer wins: a value of the same size is put where nothing is.
fn insert_raw(database: &Database, users: impl Iterator<Item = usize>) {
    let mut transaction = database.begin_write().unwrap();
    transaction.set_quick_repair(true);
    let mut table = transaction.open_table(RECORDS).unwrap();
    for number in users {
        let key = raw_key(number);
        if table.get(key.as_slice()).unwrap().is_none() {
            table.insert(key.as_slice(), VALUE.as_slice()).unwrap();
        }
    }
    drop(table);
    transaction.commit().unwrap();
}

fn compacted(folder: &Path, file: &Path) -> u64 {
    let copy: PathBuf = folder.join("compacted.redb");
    std::fs::copy(file, &copy).unwrap();
    let compacted = EmbeddedStorage::compact(&copy).unwrap();
    std::fs::remove_file(&copy).unwrap();
    compacted.after
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
